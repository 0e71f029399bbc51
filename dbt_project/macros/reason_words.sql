{#
  The words of every reason of the contact plan: code to template. The one place where a code becomes words.

  {names} in braces stand for values: of a reason to contact they are the customer's own and filled in row by row
  (filled_words); of a reason not to contact they are parameters of the night (model reasons). A reason not to contact is
  in the same words for everybody concerned, so that its rows can be counted, in English and in Chinese. ¤ stands for
  the currency of the money behind it, which the mart fills in (in_currency).
#}
{% macro reasons_to_contact() -%}
    {{ return({
        'days_since_last_order': 'no purchase for {n_days} days',
        'days_since_first_order': 'customer for {n_days} days',
        'open_complaint': 'complaint open for {n_days} days',
        'on_dates': 'date in the calendar: {on_date}',
        'birthday': 'birthday',
        'tier_at_risk': 'loyalty tier is lost on {on_date} at the present pace',
        'value_at_risk': 'churn probability {churn_percent} % ({churn_band}), ¤{value_at_risk} of margin at risk: '
            ~ 'number {place} of {n_scored} customers',
        'movement_alert': "sudden drop of {fallen_metrics} against the customer's own past, ¤{money_moved} of sales moved",
    }) }}
{%- endmacro %}

{% macro reasons_not_to_contact() -%}
    {{ return({
        'no_consent': ['no consent for any channel of this action', '该活动的所有渠道均未获客户同意'],
        'consent_unknown': [
            'no source delivers consent, and the parameters do not allow to assume it',
            '没有数据源提供同意信息，参数也不允许默认同意',
        ],
        'refuses_profiling': [
            'refuses to be profiled: nothing is planned from scores or behaviour', '客户拒绝画像：不依据评分或行为安排联系',
        ],
        'unreachable': [
            'not reachable by any channel of this action that the customer allows', '在客户允许的渠道中均无法触达',
        ],
        'complaint_first': ['an open complaint blocks this action until it is resolved', '有未解决的投诉，解决前不做此活动'],
        'contact_limit': [
            'contact limit reached: {cap_contacts} contacts in {cap_window_days} days',
            '已达联系上限：{cap_window_days} 天内 {cap_contacts} 次',
        ],
        'stage_limit': [
            'contact limit of the lifecycle stage reached (playbook_stages)', '已达该生命周期阶段的联系上限（playbook_stages）',
        ],
        'channel_limit': [
            'contact limit of every channel that is open reached (playbook_channels)',
            '可用渠道均已达联系上限（playbook_channels）',
        ],
        'too_soon': [
            'the last contact was less than {min_days_between_contacts} days ago',
            '距上次联系不足 {min_days_between_contacts} 天',
        ],
        'cooldown': ['the same action was used too recently for this customer', '同一活动近期已对该客户使用过'],
        'in_experiment': [
            'takes part in the measurement of another action until its outcome window is closed',
            '正在参与另一活动的效果测量，观察期结束前不再打扰',
        ],
        'effect_unknown': [
            'no effect of this action is known or assumed: risk alone is no ground to spend money',
            '该活动的效果未知：仅凭风险不足以投入费用',
        ],
        'margin_unknown': [
            'no margin of this customer is known: nothing to weigh the cost against', '该客户的毛利未知，无法衡量成本是否值得',
        ],
        'no_profit': [
            'expected profit is not positive: it would cost more than it is expected to bring', '预期利润不为正：成本高于预期收益',
        ],
        'too_little_profit': [
            'expected profit is below ¤{min_expected_profit}, the least that is worth a contact',
            '预期利润低于 ¤{min_expected_profit}，不值得一次联系',
        ],
        'price_later': ['buys mostly on discount: an action without a price goes first', '主要在打折时购买：先用不降价的活动'],
        'other_action': ['another action for the same customer is expected to bring more', '同一客户的另一活动预期收益更高'],
        'care_first': [
            'another action for the same customer goes first: it answers or thanks, and sells nothing',
            '同一客户先做关怀或回应类活动，不做推销',
        ],
        'no_capacity': ["the night's capacity of its channels is used up", '当晚渠道容量已用完'],
        'no_budget': ["the night's budget is used up", '当晚预算已用完'],
        'no_action_budget': ["the night's budget of this action is used up", '该活动的当晚预算已用完'],
        'no_care_budget': ["the night's budget for care and service is used up", '当晚关怀与服务预算已用完'],
        'control_group': [
            'held out: belongs to the permanent control group that measures the effect of contacting',
            '不联系：属于衡量联系效果的长期对照组',
        ],
        'action_slice': [
            'held out: belongs to the random slice that measures the effect of this action',
            '不联系：属于衡量该活动效果的随机对照组',
        ],
    }) }}
{%- endmacro %}

{#
  Why nobody thinks of contacting a customer for whom nothing is proposed, and what is said with the customer's own
  numbers: [English, Chinese], filled in row by row (mart retention_decisions).
#}
{% macro reasons_without_candidate() -%}
    {{ return({
        'refuses_profiling': [
            'refuses to be profiled: nothing is planned from scores or behaviour', '客户拒绝画像：不依据评分或行为安排联系',
        ],
        'outlier_account': ['no customer: {outlier_account_reason}', '不是普通客户账户，不安排联系'],
        'never_purchased': ['never purchased, and no entry of the calendar is due', '从未购买，且今晚没有到期的联系'],
        'recently_contacted': ['was contacted on {last_touch_on}; nothing else is due', '已于 {last_touch_on} 联系过，暂无其他到期联系'],
        'below_value_line': [
            'likely to leave, but number {place} of {n_scored} by value at risk: the playbook calls on the first {n_called}',
            '可能流失，但风险价值排名第 {place}（共 {n_scored}），手册只联系前 {n_called} 名',
        ],
        'lost': ['lost, and no entry of the calendar for lost customers is due', '已流失，且今晚没有针对流失客户的联系到期'],
        'at_risk_not_due': ['likely to leave, but no entry of the calendar is due', '可能流失，但今晚没有到期的联系'],
        'not_at_risk': ['no sign of leaving, and no entry of the calendar is due', '无流失迹象，且今晚没有到期的联系'],
    }) }}
{%- endmacro %}

{% macro reasons_in_own_numbers() -%}
    {{ return({
        'contact': ['{label_en}: {trigger_reason}', '{label_zh}：今晚联系'],
        'no_profit': [
            '{label_en} would cost ¤{shortfall} more than it is expected to bring', '{label_zh}的成本比预期收益高 ¤{shortfall}',
        ],
        'too_little_profit': [
            '{label_en} is expected to bring ¤{shortfall} less than the least that is worth a contact',
            '{label_zh}的预期利润比最低要求少 ¤{shortfall}',
        ],
        'other': ['{label_en}: {words}', '{label_zh}：{words_zh}'],
    }) }}
{%- endmacro %}
