{# What keeps a customer from a channel, in the order in which it is asked: code, English, Chinese. The last is none. #}
{% macro reachability_reasons() %}
    {% do return([
        ('no_address', 'no address or number is known', '没有可用的地址或号码'),
        ('bounced', 'the newest contact did not arrive', '最近一次联系未送达'),
        ('opted_out', 'opted out in answer to a contact, or complained about it', '在回应联系时退订或投诉该联系'),
        ('unconfirmed', 'a double opt-in was asked for and not confirmed', '双重确认尚未完成'),
        ('no_consent', 'no consent, or it was denied, withdrawn or has run out', '无同意，或已拒绝、撤回、过期'),
        ('complaint_first', 'an open complaint comes first', '须先处理未结投诉'),
        ('refuses_profiling', 'refuses to be profiled: the untargeted calendar alone', '拒绝画像：仅限非定向日历'),
        ('reachable', 'can be contacted', '可联系'),
    ]) %}
{% endmacro %}
