"""Stage publish: marts with a passing verdict become the published set, in one swap."""
