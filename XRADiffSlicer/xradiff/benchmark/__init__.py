"""Any methods on any folder of cases with known truth: `run.run_benchmark`, and the command in `command`."""
