{#
  A template of reason_words in the words of the business: what a shop calls a purchase is a posting at a bank. The words of
  reasons of scores, which Python makes, stand in assets/shared/business_words.py.
#}
{% macro in_business_words(template) -%}
    {%- set words = {
        'bank': {
            'no purchase for': 'no posting for', 'never purchased': 'no posting yet', 'of sales moved': 'moved',
            'buys mostly on discount': 'pays mostly at a discount', '从未购买': '从未交易', '主要在打折时购买': '主要在优惠时交易',
        },
        'telecom': {
            'no purchase for': 'no call for', 'never purchased': 'no call yet', 'of sales moved': 'of charges moved',
            'buys mostly on discount': 'calls mostly at a discount', '从未购买': '从未通话', '主要在打折时购买': '主要在优惠时通话',
        },
        'airline': {
            'no purchase for': 'no flight for', 'never purchased': 'no flight yet', 'of sales moved': 'of fares moved',
            'buys mostly on discount': 'flies mostly at a discount', '从未购买': '从未乘机', '主要在打折时购买': '主要在优惠时乘机',
        },
    } -%}
    {%- set spoken = namespace(text=template) -%}
    {%- for shop, own in words.get(var('business'), {}).items() -%}
        {%- set spoken.text = spoken.text | replace(shop, own) -%}
    {%- endfor -%}
    {{ return(spoken.text) }}
{%- endmacro %}
