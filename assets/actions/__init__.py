"""Stage actions: scores, segments and the playbook become the contact plan and the holdout ledger."""
