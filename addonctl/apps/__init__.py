"""The faces: the command line, and the wiring of adapters for it and for the library."""
