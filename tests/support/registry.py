"""Commands that need a package registry; when one fails, the error names the registry."""
import subprocess


def call(registry, command, **more):
    """The output of a command that downloads from a registry ("PyPI")."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{registry} could not be reached, or refused {' '.join(map(str, command))}:\n{done.stderr or done.stdout}"
    return done.stdout
