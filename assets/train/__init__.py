"""Stage train: training snapshots become a fitted, calibrated, back-tested champion in the model store."""
