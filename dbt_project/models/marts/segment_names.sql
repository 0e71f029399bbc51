with segment_names as (

    select * from {{ ref('playbook_segment_names') }}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        segment_names.*
    from segment_names

)

select {{ contract_columns() }}
from final
