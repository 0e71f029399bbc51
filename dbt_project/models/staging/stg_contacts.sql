with

reports as (

    select * from {{ ref('stg_contact_reports') }}

),

-- What was planned and never sent touched nobody.
final as (

    select
        source,
        contact_id,
        customer_id,
        campaign_id,
        action_id,
        channel,
        sent_at,
        sent_on,
        cost,
        offer_cost,
        outcome,
        outcome_at,
        window_ends_on,
        batch_id
    from reports
    where outcome <> 'not_sent'

)

select * from final
