"""A working warehouse small enough to read in which every reconciliation holds."""

from datetime import date

import duckdb

AS_OF = date(2017, 12, 31)
RUN_ID = "run-1"
STAMP = f"date '{AS_OF}' as as_of_date, '{RUN_ID}' as run_id"

TABLES = f"""
create schema ingest; create schema staging; create schema features; create schema segments; create schema score;
create schema marts;

create table ingest.transactions as
    select 'b1' as batch_id, 'shop' as source, 'c' || (i % 5) as customer_id, date '2017-06-01' + cast(i as int) as day,
        (date '2017-06-01' + cast(i as int))::timestamp as occurred_at, 'o' || i as order_id, '1' as line_id,
        10.05::decimal(18, 4) as amount, 1::decimal(18, 3) as quantity,
        null::boolean as is_return, null::text as product_id,
        'EUR' as currency
    from range(20) as r(i);
create table ingest.batch_days as
    select batch_id, source, day, count(*) as n_rows from ingest.transactions group by all;
create table ingest.replaced_days (batch_id text, source text, day date);
create table ingest.id_changes (
    old_customer_id text, customer_id text, next_customer_id text, valid_from date, is_first_id boolean,
    is_circular boolean
);
create table ingest.customer_aliases (batch_id text);
create table ingest.customers (batch_id text); create table ingest.consents (batch_id text);
create table ingest.interactions (batch_id text); create table ingest.surveys (batch_id text);
create table ingest.referrals (batch_id text); create table ingest.balances (batch_id text);
create table ingest.contacts (batch_id text); create table ingest.contracts (batch_id text);
create table ingest.refused_files
    (source text, entity text, file text, reason text, remedy text, is_waiting boolean, resolved_at timestamp);
create table ingest.source_extracts as
    select 'shop' as source, date '2017-12-30' as day, 20 as n_rows, 'ok' as verdict;
create table ingest.batches as
    select 'b1' as batch_id, 'shop' as source, 'transactions' as entity, 'sales.csv' as file, 25 as rows_in,
        20 as rows_accepted, 1 as rows_quarantined, 4 as rows_left_out, 'lines' as replaces, 'one' as amount_scales,
        0::bigint as rows_replaced, 0::bigint as rows_gone,
        timestamp '2017-12-30 03:00' as loaded_at;
create table ingest.quarantined_rows as
    select 'b1' as batch_id, 'shop' as source,
        7 as line_number, 'amount_not_a_number' as rule, 'the amount is x' as reason,
        null::date as day;

create table staging.stg_transactions as
    select customer_id, day as occurred_on, amount as net_amount from ingest.transactions
    union all select 'c0', date '{AS_OF}', 99;
create table staging.transaction_days as
    select occurred_on as day, sum(net_amount) as net_sales from staging.stg_transactions group by all;
create table features.customer_day as
    select customer_id, occurred_on as day, sum(net_amount) as net_sales, count(*) as n_orders
    from staging.stg_transactions group by all;
create table features.customer_features as
    select customer_id, cast(sum(net_sales) as double) as net_sales_total, customer_id <> 'c4' as is_eligible,
        case when customer_id = 'c4' then 'refuses_profiling' end as ineligible_reason
    from features.customer_day where day < date '{AS_OF}' group by all;

create table segments.customer_rfm as
    select customer_id from features.customer_features where ineligible_reason is null;
create table segments.customer_value as
    select customer_id from features.customer_features where ineligible_reason is null;
create table segments.customer_lifecycle as
    select customer_id from features.customer_features where ineligible_reason is null;
create table score.churn_scores as
    select customer_id, case when is_eligible then 0.5 end as churn_probability,
        case when is_eligible then 'high' else 'not_scored' end as churn_band, 'model' as scored_by,
        case when is_eligible then 10.0::double end as predicted_margin,
        case when is_eligible then 5.0::double end as value_at_risk, '2017-12-01-m1' as model_version
    from features.customer_features;

create view marts.churn_scores as select {STAMP}, * from score.churn_scores;
create view marts.customer_segments as
    select {STAMP}, customer_id from features.customer_features where ineligible_reason is null;
create table marts.customer_360 as
    select {STAMP}, customer_id, net_sales_total, value_at_risk
    from features.customer_features inner join score.churn_scores using (customer_id);
create table marts.retention_actions as
    select {STAMP}, 'c' || i as customer_id, 'email' as channel, null::varchar as owner,
        case when i < 2 then 'contact' else 'holdout' end
        as decision, 0.5::double as contact_cost, 4.0::double as offer_cost, 0.25::double as redeem_probability,
        'marketing' as purpose, i > 0 as needs_profit, 'offer' as action_id
    from range(3) as r(i);
create schema playbook;
create table playbook.playbook_owners (owner varchar, nightly_calls integer);
create schema candidates;
create table candidates.plan_follow_up as
    select 'c1' as customer_id, action_id, date '{AS_OF}' - days as as_of_date, arm as experiment_arm,
        is_night_released
    from (values
        ('offer', 3, 'treated', false), ('call', 30, 'held_out', false), ('call', 3, null, false),
        ('call', 3, 'treated', true)
    ) as plans (action_id, days, arm, is_night_released);
create table marts.retention_decisions as
    select {STAMP}, features.customer_id, coalesce(plan.decision, 'not_contacted') as decision
    from features.customer_features as features left join marts.retention_actions as plan using (customer_id);
create table marts.unreachable_customers as
    select {STAMP}, 'marketing' as purpose, 'any' as channel, reason, n_customers, 5 as n_all_customers
    from (values ('reachable', 3), ('no_consent', 2)) as r (reason, n_customers);
create table marts.holdout_ledger as
    select {STAMP}, 'c2' as person_id, 'c2' as customer_id, date '2017-06-03' as valid_from, null::date as valid_to;
"""


def build(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(TABLES)
