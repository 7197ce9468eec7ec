/* Prepares the process and runs the command line. */
#include "server/cli/cli.h"
#include "server/supervisor/process.h"

int main(int argc, char **argv)
{
	process_prepare();
	return cli_run(argc, argv);
}
