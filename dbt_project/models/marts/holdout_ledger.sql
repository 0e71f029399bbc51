{{ as_made(source('ledgers', 'holdout_ledger'), is_dated=false) }}
