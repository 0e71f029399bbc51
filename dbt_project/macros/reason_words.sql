{#
  The words of every reason of the contact plan: code to template. The one place where a code becomes words.

  {names} in braces stand for values: of a reason to contact they are the customer's own and filled in row by row
  (filled_words); of a reason not to contact they are parameters of the night (model reasons). A reason not to contact is
  in the same words for everybody concerned, so that its rows can be counted. ¤ stands for the currency of the money
  behind it, which the mart fills in (in_currency).
#}
{% macro reasons_to_contact() -%}
    {{ return({
        'days_since_last_order': 'no purchase for {n_days} days',
        'days_since_first_order': 'customer for {n_days} days',
        'open_complaint': 'complaint open for {n_days} days',
        'on_dates': 'date in the calendar: {on_date}',
        'birthday': 'birthday',
        'value_at_risk': 'churn probability {churn_percent} % ({churn_band}), ¤{value_at_risk} of margin at risk: '
            ~ 'number {place} of {n_scored} customers',
        'movement_alert': "sudden drop of {fallen_metrics} against the customer's own past, ¤{money_moved} of sales moved",
    }) }}
{%- endmacro %}

{% macro reasons_not_to_contact() -%}
    {{ return({
        'no_consent': 'no consent for any channel of this action',
        'consent_unknown': 'no source delivers consent, and the parameters do not allow to assume it',
        'unreachable': 'not reachable by any channel of this action that the customer allows',
        'complaint_first': 'an open complaint blocks this action until it is resolved',
        'contact_limit': 'contact limit reached: {cap_contacts} contacts in {cap_window_days} days',
        'too_soon': 'the last contact was less than {min_days_between_contacts} days ago',
        'cooldown': 'the same action was used too recently for this customer',
        'effect_unknown': 'no effect of this action is known or assumed: risk alone is no ground to spend money',
        'margin_unknown': 'no margin of this customer is known: nothing to weigh the cost against',
        'no_profit': 'expected profit is not positive: it would cost more than it is expected to bring',
        'too_little_profit': 'expected profit is below ¤{min_expected_profit}, the least that is worth a contact',
        'price_later': 'buys mostly on discount: an action without a price goes first',
        'other_action': 'another action for the same customer is expected to bring more',
        'care_first': 'another action for the same customer goes first: it answers or thanks, and sells nothing',
        'no_capacity': "the night's capacity of its channels is used up",
        'no_budget': "the night's budget is used up",
        'control_group': 'held out: belongs to the permanent control group that measures the effect of contacting',
        'action_slice': 'held out: belongs to the random slice that measures the effect of this action',
    }) }}
{%- endmacro %}
