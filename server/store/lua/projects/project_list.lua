#!lua flags=no-writes
-- project_list: all projects.
-- KEYS 1 the root of the installation
--@include base
-- returns their JSON, in no order
return call('HVALS', key_projects())
