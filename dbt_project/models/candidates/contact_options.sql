-- The playbook's cost of a contact counts as so many contacts.
{% set prior_contacts = 50 -%}

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

touches as (

    select * from {{ ref('touches') }}
    where is_counted

),

permissions as (

    select * from {{ ref('permissions') }}

),

-- What the business reports that a contact cost, shrunk to the playbook's cost.
costs as (

    select
        channel,
        count(*) as n_contacts,
        cast(sum(cost) as double) as contact_cost
    from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and cost is not null
        and coalesce(outcome, 'sent') <> 'held_out'
    group by channel

),

channel_uses as (

    select
        touches.customer_id,
        touches.channel,
        count(*) as n_contacts
    from touches
    inner join channels on touches.channel = channels.channel
    where touches.touched_on >= {{ as_of() }} - channels.cap_days
    group by
        touches.customer_id,
        touches.channel

),

-- The channels of an action in the order in which they are to be tried.
action_channels as (

    select
        actions.action_id,
        channels.channel,
        channels.cap_contacts,
        (cast(channels.contact_cost as double) * {{ prior_contacts }} + coalesce(costs.contact_cost, 0))
        / nullif({{ prior_contacts }} + coalesce(costs.n_contacts, 0), 0) as contact_cost,
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
    left join costs on channels.channel = costs.channel

),

priced as (

    select
        due_actions.candidate_id,
        due_actions.customer_id,
        due_actions.purpose,
        action_channels.step,
        action_channels.channel,
        action_channels.contact_cost,
        action_channels.cap_contacts,
        {%- for name in ['', '_low', '_high', '_decided'] %}
        due_actions.uplift{{ name }} * due_actions.margin_at_stake
        - due_actions.offer_cost * due_actions.redeem_probability - action_channels.contact_cost as profit{{ name }},
        {%- endfor %}
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
        priced.profit_low,
        priced.profit_high,
        priced.profit_decided,
        priced.spend,
        coalesce(
            least(priced.profit, priced.profit_decided) > 0
            and least(priced.profit, priced.profit_decided)
            >= cast({{ var('actions_min_expected_profit') }} as double), false
        ) as is_worth_it,
        permissions.is_consented,
        permissions.consent_basis,
        permissions.is_reachable,
        permissions.channel_basis,
        priced.purpose <> 'service'
        and coalesce(coalesce(channel_uses.n_contacts, 0) >= priced.cap_contacts, false) as is_channel_capped
    from priced
    left join channel_uses
        on priced.customer_id = channel_uses.customer_id and priced.channel = channel_uses.channel
    inner join permissions
        on
            priced.customer_id = permissions.customer_id
            and priced.channel = permissions.channel
            and priced.purpose = permissions.purpose

)

select {{ contract_columns() }}
from final
