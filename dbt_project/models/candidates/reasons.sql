{% set values = {
    'cap_contacts': "'" ~ var('actions_cap_contacts') ~ "'",
    'cap_window_days': "'" ~ var('actions_cap_window_days') ~ "'",
    'min_days_between_contacts': "'" ~ var('actions_min_days_between_contacts') ~ "'",
    'min_expected_profit': "'" ~ '%.2f' | format(var('actions_min_expected_profit')) ~ "'",
} -%}

with

final as (

    {%- for code, (english, chinese) in reasons_not_to_contact().items() %}
    select
        '{{ code }}' as reason_code,
        {{ filled_words(english, values) }} as words,
        {{ filled_words(chinese, values) }} as words_zh
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

select {{ contract_columns() }}
from final
