"""Names of months in languages other than English (Unicode CLDR 46, `gregorian` calendar, wide and abbreviated).

In: nothing. Out: for each language the beginnings by which its months are told apart, and SQL that writes their numbers
instead. A name counts by its beginning, so that cases of a noun and abbreviations of any length are read.
"""

import re
from collections.abc import Sequence
from typing import Literal

MonthLanguage = Literal["cs", "da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "pl", "pt", "ru", "sv", "tr", "uk"]

#: January to December: the letters that a name begins with, several where one month has several stems.
_STEMS: dict[MonthLanguage, str] = {
    "cs": "led|úno,uno|bře,bre|dub|kvě,kve|čer,cer,čvn|červenc,cervenc,čvc|srp|zář,zar|říj,rij|lis|pro",
    "da": "jan|feb|mar|apr|maj|jun|jul|aug|sep|okt|nov|dec",
    "de": "jan,jän|feb|mär,mrz,mar,mae|apr|mai|jun|jul|aug|sep|okt|nov|dez",
    "en": "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec",
    "es": "ene|feb|mar|abr|may|jun|jul|ago|sep,set|oct|nov|dic",
    "fi": "tam|hel|maalis|huh|tou|kes|hei|elo|syy|lok|marras|jou",
    "fr": "jan|fév,fev|mar|avr|mai|juin,jun|juil,jul|aoû,aou|sep|oct|nov|déc,dec",
    "it": "gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic",
    "nl": "jan|feb|maa,mrt,mar|apr|mei|jun|jul|aug|sep|okt|nov|dec",
    "no": "jan|feb|mar|apr|mai|jun|jul|aug|sep|okt|nov|des",
    "pl": "sty|lut|mar|kwi|maj|cze|lip|sie|wrz|paź,paz|lis|gru",
    "pt": "jan|fev|mar|abr|mai|jun|jul|ago|set|out|nov|dez",
    "ru": "янв|фев|мар|апр|май,мая|июн|июл|авг|сен|окт|ноя|дек",
    "sv": "jan|feb|mar|apr|maj|jun|jul|aug|sep|okt|nov|dec",
    "tr": "oca|şub,sub|mar|nis|may|haz|tem|ağu,agu|eyl|eki|kas|ara",
    "uk": "січ|лют|бер|кві|тра|чер|лип|сер|вер|жов|лис|гру",
}


def language_of(texts: Sequence[str]) -> MonthLanguage | None:
    """The first language in which the longer words of nearly all the texts are months; None where there is none."""
    words = [re.findall(r"[^\W\d_]{3,}", text.lower()) for text in texts]
    for language, stems in _STEMS.items():
        beginnings = tuple(stems.replace("|", ",").split(","))
        if sum(any(word.startswith(beginnings) for word in found) for found in words) >= _NEARLY_ALL * len(words):
            return language
    return None


#: A typing mistake or two say nothing about a language.
_NEARLY_ALL = 0.95


def numbered_months(text: str, language: MonthLanguage) -> str:
    """Expression: the text in lower case with its month's name as two digits; other words stay."""
    found = f"lower({text})"
    # From the end of the year: července begins as června does, and its stem is the longer one.
    for number, stems in reversed([*enumerate(_STEMS[language].split("|"), start=1)]):
        # The point of an abbreviation goes; one that separates the month from the year stays.
        name = f"(?:{stems.replace(',', '|')})\\p{{L}}*(?:\\.([ -]|$))?"
        found = f"regexp_replace({found}, '(^|[^\\p{{L}}]){name}', '\\1{number:02d}\\2')"
    return found


def with_numbered_months(format_: str) -> str:
    """The format that reads what `numbered_months` gives."""
    return format_.replace("%B", "%m").replace("%b", "%m")
