"""What kind of business the sources say it is, and its words."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from assets.explain.words import LANGUAGES, SENTENCES
from assets.model.feature_words import FAMILY_WORDS, FEATURE_WORDS
from assets.shared.business import BUSINESSES, business_of
from assets.shared.business_words import texts_of, words_of
from assets.shared.errors import UserError
from assets.shared.params import load_params

#: Words that belong to a shop alone; slots such as {0:orders} are numbers.
SHOP = re.compile(
    r"\b(baskets?|purchase[sd]?|buys?|bought|buying|orders?|goods)\b|购物|购买|下单|订单|每单|商品|退货", re.I
)
MORNING = yaml.safe_load(Path("assets/publish/morning/words.yml").read_text(encoding="utf-8"))


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_source_says_what_kind_of_business_it_is(tmp_path):
    bank = written(tmp_path, "bank.yml", "name: bank\nbusiness: bank\n")
    silent = written(tmp_path, "crm.yml", "name: crm\n")
    assert business_of((bank, silent)) == "bank"
    assert business_of((silent, "completejourney")) == "shop"
    assert business_of((written(tmp_path, "odd.yml", "business: circus\n"),)) == "shop", "the mapping refuses it"
    assert business_of((written(tmp_path, "broken.yml", "a: [\n"), str(tmp_path / "gone.yml"))) == "shop"


def test_two_sources_of_one_home_cannot_be_different_businesses(tmp_path):
    sources = (
        written(tmp_path, "a.yml", "business: bank\n"),
        written(tmp_path, "b.yml", "business: airline\n"),
    )
    with pytest.raises(UserError, match=r"a\.yml bank, b\.yml airline"):
        business_of(sources)


def test_the_margin_of_a_bank_is_no_quarter_of_what_its_customers_spend():
    assert load_params().value_margin_share == load_params(business="airline").value_margin_share == 0.25
    bank = load_params(business="bank")
    assert (bank.business, bank.value_margin_share) == ("bank", 0.003)
    assert load_params({"value_bank_margin_share": "0.01"}, "bank").value_margin_share == 0.01
    assert load_params({"value_margin_share": "0.1"}, "bank").value_margin_share == 0.1, "what is set by hand stands"


@pytest.mark.parametrize("business", [b for b in BUSINESSES if b != "shop"])
def test_no_sentence_has_the_words_of_a_shop(business):
    texts = [
        *((s.en, s.zh) for s in SENTENCES.values()),
        *((f.en, f.zh) for f in FEATURE_WORDS.values()),
        *FAMILY_WORDS.values(),
        *((text["en"], text["zh"]) for text in MORNING.values()),
        ("Customers silent for 3 days: 5 % made no purchase in the next 30 days", "3 天未购买的客户"),
        ("No order in the last 30 days", "近 30 天没有下单"),
    ]
    for text in texts:
        for language, said in zip(LANGUAGES, text, strict=True):
            spoken = re.sub(r"\{[^}]*\}", "", words_of(business, language, re.sub(r"\{\d:\w+\}", "5 %", said)))
            assert not SHOP.search(spoken), spoken


def test_sentences_of_a_bank_read_like_those_of_a_bank():
    assert words_of("bank", "en", "No purchase for 9 days; usually buys every 3 days") == (
        "No posting for 9 days; usually uses the account every 3 days"
    )
    assert words_of("bank", "en", "Returns 5 % of the lines bought") == "5 % of the lines were reversed"
    assert words_of("airline", "en", "3 orders in the last 30 days") == "3 flights in the last 30 days"
    assert words_of("telecom", "zh", "近 30 天下单 3 次") == "近 30 天通话 3 次"


def test_a_column_of_texts_keeps_its_gaps_and_a_shop_its_words():
    texts = pa.array(["3 orders", None, "3 orders"])
    assert texts_of("bank", "en", texts).to_pylist() == ["3 postings", None, "3 postings"]
    assert texts_of("shop", "en", texts) is texts
