// The program's entry: parses the command line and hands over to one file per command.
return 0;
