"""Stage train: training snapshots become a fitted, calibrated, back-tested model in the model store."""
