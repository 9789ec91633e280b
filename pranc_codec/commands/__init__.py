"""The subcommands of `pranc`, one module each."""
