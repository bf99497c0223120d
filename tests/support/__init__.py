"""What the tests stand on: servers, processes, file systems and evidence that are made and unmade by them."""
