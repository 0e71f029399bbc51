with

cutoff as (

    select {{ as_of() }} as cutoff_date

),

final as (

    {{ customer_features_at('cutoff', date_column='as_of_date', unprofiled=ref('profiling_refusals')) }}

)

select * from final
