-- The lines of each day on record are those that the batches delivered: no day was forgotten, none is left of a
-- batch that is gone. Where several batches of a source speak of one day, they may repeat lines.

with

brought as (

    select
        day,
        sum(n_rows) as n_rows,
        count(*) as n_batches
    from {{ source('ingest', 'batch_days') }}
    group by day

)

select
    coalesce(brought.day, recorded.day) as day,
    brought.n_rows as n_brought,
    recorded.n_landed_lines,
    recorded.n_lines
from brought
full outer join {{ ref('transaction_days') }} as recorded on brought.day = recorded.day
where
    coalesce(brought.n_rows, 0) <> coalesce(recorded.n_landed_lines, 0)
    or (brought.n_batches = 1 and brought.n_rows <> recorded.n_lines)
