with

due_actions as (

    select * from {{ ref('due_actions') }}

),

actions as (

    select * from {{ ref('playbook_actions') }}

),

channels as (

    select * from {{ ref('playbook_channels') }}

),

permissions as (

    select * from {{ ref('permissions') }}

),

-- The channels of an action in the order in which they are to be tried.
action_channels as (

    select
        actions.action_id,
        channels.channel,
        cast(channels.contact_cost as double) as contact_cost,
        row_number() over (
            partition by actions.action_id
            order by
                instr(
                    concat_ws('', '|', replace(actions.channels, ' ', ''), '|'),
                    concat_ws('', '|', channels.channel, '|')
                ) asc nulls last
        ) as step
    from actions
    inner join channels on {{ has_word('actions.channels', 'channels.channel') }}

),

priced as (

    select
        due_actions.candidate_id,
        due_actions.customer_id,
        due_actions.purpose,
        action_channels.step,
        action_channels.channel,
        action_channels.contact_cost,
        due_actions.uplift * due_actions.margin_at_stake
        - due_actions.offer_cost * due_actions.redeem_probability - action_channels.contact_cost as profit,
        due_actions.offer_cost * due_actions.redeem_probability + action_channels.contact_cost as spend
    from due_actions
    inner join action_channels on due_actions.action_id = action_channels.action_id

),

final as (

    select
        priced.candidate_id,
        priced.step,
        priced.channel,
        priced.contact_cost,
        priced.profit,
        priced.spend,
        coalesce(
            priced.profit > 0 and priced.profit >= cast({{ var('actions_min_expected_profit') }} as double), false
        ) as is_worth_it,
        permissions.is_consented,
        permissions.consent_basis,
        permissions.is_reachable,
        permissions.channel_basis
    from priced
    inner join permissions
        on
            priced.customer_id = permissions.customer_id
            and priced.channel = permissions.channel
            and priced.purpose = permissions.purpose

)

select {{ contract_columns() }}
from final
