"""Accounts whose own name says that they are no customers: tests, and the one account of buyers whom nobody knows.

In: the ids of sales, and names and e-mail addresses of schema `personal`. Out: rows for `ingest.accounts`. That they
are kept out of what decides for everybody, and that a person may say `include`, belongs to `features.outlier_accounts`.
"""

import duckdb

from assets.shared.quoting import literal, literals

#: What people call an account that tries something out, in the languages of exports.
TEST_WORDS = (
    "test", "tester", "testing", "testkunde", "testkundin", "testkonto", "testuser", "testaccount",
    "testcustomer", "testbestellung", "demo", "demokunde", "demouser", "dummy", "sample", "muster",
    "mustermann", "musterfrau", "prueba", "pruebas", "essai", "teste", "prova", "proef", "testowy",
    "testowe", "тест", "тестовый", "测试", "測試", "テスト", "deneme",
)  # fmt: skip
#: What may stand beside such a word and says no more.
FILLERS = (
    "account", "client", "cliente", "customer", "kunde", "kundin", "konto", "user", "usuario",
    "utente", "klient", "order", "max", "erika", "shop", "store", "qa", "id", "no", "nr", "客户",
    "用户", "账号", "顾客", "клиент", "müşteri", "compte", "cuenta", "de",
)  # fmt: skip
#: What a till or shop calls whoever did not say who they are.
NOBODY_WORDS = (
    "guest", "walkin", "anonymous", "anonym", "unknown", "nobody", "gast", "unbekannt", "laufkunde",
    "laufkundschaft", "barverkauf", "cashsale", "cashcustomer", "invitado", "anonimo", "anónimo",
    "desconocido", "invité", "anonyme", "inconnu", "ospite", "sconosciuto", "convidado", "散客", "游客",
    "匿名", "未知", "ゲスト", "гость", "houseaccount", "misafir",
)  # fmt: skip
#: Domains that are kept free for examples, and mail boxes that are thrown away.
_TEST_DOMAINS = r"example\.(?:com|org|net)|[^@]+\.(?:test|example|invalid)|test\.(?:com|de|org|net)|mailinator\.com"
#: Where more of all accounts are called so, the names were made up for a trial of the whole, and say nothing.
MAX_SHARE, LEAST_ALLOWED = 0.05, 3

_TEST_ADDRESS = rf"(?:{'|'.join(TEST_WORDS)})[0-9._+-]*@.*|.*@(?:{_TEST_DOMAINS})"
_LETTERS = r"[^\p{L}]+"


def find_named_accounts(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """(source, customer_id, `test` or `nobody`) of accounts that are called so, by id, name or e-mail address. Ids that
    were hashed say nothing by themselves."""
    ids = con.execute(
        f"""
        with ids as (select distinct source, customer_id from ingest.transactions where customer_id is not null),

        judged as (
            select source, customer_id, {_is_test("customer_id")} as is_test, {_is_nobody("customer_id")} as is_nobody
            from ids
        )

        select source, customer_id, case when is_test then 'test' else 'nobody' end
        from (select *, {_few("is_test")} as few_tests from judged) as counted
        where is_nobody or (is_test and few_tests)
        order by all
        """
    ).fetchall()
    has_names = con.execute(
        "select count(*) = 2 from duckdb_columns() where schema_name = 'personal' and table_name = 'customers'"
        " and column_name in ('email', 'full_name')"
    ).fetchone()
    if not has_names or not has_names[0]:
        return ids
    names = con.execute(
        f"""
        with judged as (
            select source, customer_id,
                bool_or({_is_test("full_name")}) as is_named,
                bool_or(coalesce(regexp_full_match(lower(email), {literal(_TEST_ADDRESS)}), false)) as is_addressed
            from personal.customers where customer_id is not null group by source, customer_id
        )

        select source, customer_id, 'test'
        from (
            select *, {_few("is_named")} as few_names, {_few("is_addressed")} as few_addresses from judged
        ) as counted
        where (is_named and few_names) or (is_addressed and few_addresses)
        order by all
        """
    ).fetchall()
    return sorted({*ids, *names})


def _few(is_called_so: str) -> str:
    of_source = "over (partition by source)"
    return (
        f"count(*) filter ({is_called_so}) {of_source} <= greatest({LEAST_ALLOWED}, {MAX_SHARE} * count(*) {of_source})"
    )


def _is_test(text: str) -> str:
    """Expression: is one word of the text a test's, and every other a filler? Digits and signs do not matter."""
    words = f"string_split(trim(regexp_replace(lower({text}), '{_LETTERS}', ' ', 'g')), ' ')"
    tests, all_ = (f"[{literals(known)[1:-1]}]" for known in (TEST_WORDS, (*TEST_WORDS, *FILLERS)))
    return f"coalesce(list_has_any({words}, {tests}) and list_has_all({all_}, {words}), false)"


def _is_nobody(text: str) -> str:
    """Expression: is the text such a word alone, perhaps behind the name of a till? With a number it is one of many."""
    alone = f"regexp_replace(lower({text}), '^(?:pos|till|kasse|shop|web){_LETTERS}', '')"
    bare = f"regexp_replace({alone}, '[ _.#/-]', '', 'g')"
    return f"coalesce({bare} in {literals(NOBODY_WORDS)}, false)"
