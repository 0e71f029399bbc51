-- A view on tables that are written after the marts: it is read when the run is over, by publish. Of quarantined
-- rows only counts go out: their reasons quote values, which may be personal.

with check_results as (

    select * from {{ source('validate', 'check_results') }}
    where
        as_of_date = {{ as_of() }}
        and run_id = {{ run_id() }}

),

quarantined_rows as (

    select * from {{ source('ingest', 'quarantined_rows') }}

),

batches as (

    select * from {{ source('ingest', 'batches') }}

),

-- What was refused and corrected since is history; what is still offered concerns this night.
refused_files as (

    select
        concat_ws('', 'ingest.', entity) as table_name,
        rule,
        case
            when
                not is_waiting and entity in ('transactions', 'consents', 'contacts')
                and '{{ var("ingest_refused_files") }}' = 'block' then 'blocking'
            else 'warning'
        end as severity,
        concat_ws('', 'source ', source, ', file ', file, ': ', reason) as reason,
        is_waiting,
        refused_at
    from {{ source('ingest', 'refused_files') }}
    where resolved_at is null

),

source_extracts as (

    select * from {{ source('ingest', 'source_extracts') }}

),

schema_changes as (

    select * from {{ source('ingest', 'schema_changes') }}

),

source_shares as (

    select
        source,
        cast(sum(rows_quarantined) as double) / nullif(sum(rows_in - rows_left_out), 0) as quarantined_share
    from batches
    group by source

),

rules_broken as (

    select
        batch_id,
        rule,
        count(distinct line_number) as n_rows
    from quarantined_rows
    group by batch_id, rule

),

quarantine as (

    select
        concat_ws('', 'ingest.', batches.entity) as table_name,
        rules_broken.rule,
        sum(batches.rows_in) as n_checked,
        sum(rules_broken.n_rows) as n_failed,
        concat_ws(
            '', 'source ', batches.source, ', file ', batches.file, ': rows refused by the rule ', rules_broken.rule,
            '; the rows themselves are in personal.quarantined_rows of the working warehouse'
        ) as reason,
        max(source_shares.quarantined_share) as quarantined_share,
        max(batches.loaded_at) as checked_at
    from rules_broken
    inner join batches on rules_broken.batch_id = batches.batch_id
    inner join source_shares on batches.source = source_shares.source
    group by batches.entity, batches.source, batches.file, rules_broken.rule

),

left_out as (

    select
        concat_ws('', 'ingest.', entity) as table_name,
        sum(rows_in) as n_checked,
        sum(rows_left_out) as n_left_out,
        concat_ws('', 'source ', source, ', file ', file, ': rows left out on purpose, as the mapping says') as reason,
        max(loaded_at) as checked_at
    from batches
    where rows_left_out > 0
    group by entity, source, file

),

combined as (

    select
        as_of_date,
        run_id,
        kind,
        table_name,
        rule,
        column_name,
        severity,
        passed,
        n_checked,
        n_failed,
        observed,
        reason,
        failed_keys,
        checked_at
    from check_results

    union all

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        'quarantine' as kind,
        table_name,
        rule,
        null as column_name,
        'warning' as severity,
        coalesce(quarantined_share <= {{ var('validate_max_quarantine_share') }}, true) as passed,
        n_checked,
        n_failed,
        concat_ws('', cast(n_failed as string), ' of ', cast(n_checked as string), ' rows') as observed,
        reason,
        null as failed_keys,
        checked_at
    from quarantine

    union all

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        'left_out' as kind,
        table_name,
        'left_out' as rule,
        null as column_name,
        'warning' as severity,
        true as passed,
        n_checked,
        0 as n_failed,
        concat_ws('', cast(n_left_out as string), ' of ', cast(n_checked as string), ' rows') as observed,
        reason,
        null as failed_keys,
        checked_at
    from left_out

    union all

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        'refused_file' as kind,
        table_name,
        rule,
        null as column_name,
        severity,
        false as passed,
        1 as n_checked,
        1 as n_failed,
        case when is_waiting then 'waited for' else 'not loaded' end as observed,
        reason,
        null as failed_keys,
        refused_at as checked_at
    from refused_files

    union all

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        'extract' as kind,
        'ingest.transactions' as table_name,
        concat_ws('', 'extract_', verdict) as rule,
        null as column_name,
        case
            when is_blocking and '{{ var("ingest_extract_guard") }}' = 'block' then 'blocking'
            else 'warning'
        end as severity,
        verdict not in ('absent', 'short') as passed,
        n_rows as n_checked,
        case when verdict in ('absent', 'short') then n_rows else 0 end as n_failed,
        concat_ws('', cast(n_rows as string), ' rows') as observed,
        concat_ws('', 'source ', source, ', ', cast(day as string), ' (', basis, '): ', reason) as reason,
        null as failed_keys,
        null as checked_at
    from source_extracts

    union all

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        'schema_change' as kind,
        concat_ws('', 'ingest.', entity) as table_name,
        concat_ws('', 'column_', change) as rule,
        column_name,
        'warning' as severity,
        change = 'added' as passed,
        n_files as n_checked,
        case when change = 'added' then 0 else n_files end as n_failed,
        concat_ws('', coalesce(was, 'not there'), ' -> ', coalesce(became, 'not there')) as observed,
        concat_ws(
            '', 'source ', source, ', first in file ', file, ': column ', column_name, ' was ', change
        ) as reason,
        null as failed_keys,
        noticed_at as checked_at
    from schema_changes

)

select {{ contract_columns() }}
from combined
