with

cut as (

    select {{ as_of() }} as cut_date

),

final as (

    {{ customer_features_at('cut', date_column='as_of_date') }}

)

select * from final
