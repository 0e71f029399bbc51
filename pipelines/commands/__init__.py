"""One module a command of `holdfast` beyond the nightly job: `add(commands)` declares it and imports late."""
