{{ as_made(ref('playbook_segment_names'), is_dated=false) }}
