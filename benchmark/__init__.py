"""The harness: suites, cells and the command line. The only room that knows the three others."""
