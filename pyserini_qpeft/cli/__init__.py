"""The command line: each module here that has a `HELP` is a verb of `qpeft`.

A verb is a module named as the verb, with `HELP` (one line), `add_arguments(parser)` and `run(args)`, which returns
nothing or an exit code. It imports what takes time inside `run`: `qpeft --help` reads every verb's `HELP`.
A verb with `PASSES_ON` gets the arguments it does not know as `args.passed_on`, for another program's parser.
"""
