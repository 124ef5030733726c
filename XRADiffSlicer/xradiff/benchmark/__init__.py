"""Any methods on any folder of cases: `run.run_benchmark`, and the command in `command`."""
