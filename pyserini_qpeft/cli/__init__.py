"""The command line of `qpeft`: each module here that has a `HELP` is a command.

The module has the name of the command. It has `HELP` (one line), `add_arguments(parser)` and `run(args)`, which returns
None or an exit code. Slow imports are inside `run`, because `qpeft --help` imports every command. A command with
`parse(parser, arguments)` parses its own command line, as `parser.parse_known_args` does for the others.
"""
