{#
  Half the width of an interval around an estimate that may be looked at every night: the true value lies within it on all
  nights at once with the given probability, however often one looks and whenever one stops. A confidence sequence by
  the normal mixture (Robbins 1970; asymptotic: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021), in closed form;
  narrowest, against a normal interval, for effects of the size `scale`.

  variance: of the estimate tonight. scale: the effect worth having. error: the probability of ever being wrong. All are
  SQL texts of doubles above 0.
#}
{% macro confidence_radius(variance, scale, error) -%}
    {{ scale }} * sqrt(
        {{ variance_ratio(variance, scale) }} * (1 + {{ variance_ratio(variance, scale) }})
        * (
            ln(
                (1 + {{ variance_ratio(variance, scale) }}) / nullif({{ variance_ratio(variance, scale) }}, 0)
            ) - 2 * ln({{ error }})
        )
    )
{%- endmacro %}

{# The variance in units of the squared scale. #}
{% macro variance_ratio(variance, scale) -%}
    (({{ variance }}) / nullif({{ scale }} * {{ scale }}, 0))
{%- endmacro %}
