"""The page in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from service.page.conftest import TOKEN, app_of, running
from service.page.stub import PASSAGES, SCRIPT, StubService, likelihood

from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits

Open = Callable[..., Any]
QUERY = "the longest river"


def ask(page: Any, query: str = QUERY) -> None:
    page.locator("#query").fill(query)
    page.locator("#query").press("Enter")
    page.locator("#status", has_text="passages/s").wait_for()


def order(page: Any, list_: str = "after") -> list[int]:
    return [int(item.get_attribute("data-place")) for item in page.locator(f"#{list_} > li").all()]


def test_a_search_shows_both_lists_the_moves_and_the_times(open_page: Open) -> None:
    page = open_page()
    ask(page)
    assert order(page, "before") == list(range(len(PASSAGES)))
    assert order(page)[0] == 2  # the Nile has most of the query's words
    assert page.locator("#after .hit .move").first.text_content() == "▲ 2up 2"
    assert page.locator("#moves path").count() == len(PASSAGES)
    assert page.locator("#moves path.up.chosen").count() == 1
    status = page.locator("#status").inner_text()
    assert status.startswith("12 passages · search ")
    assert "scoring" in status


def test_the_slider_reorders_at_once_and_asks_the_server_nothing(open_page: Open) -> None:
    page = open_page()
    ask(page)
    reranked = order(page)
    page.locator("#passage mark").first.wait_for()
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    first_stage = [score for _, score, _, _ in PASSAGES]
    likelihoods = [likelihood(QUERY, text) for _, _, _, text in PASSAGES]
    for weight in (0, 0.2, 0.5, 1):
        page.locator("#weight").fill(str(weight))
        ranking = rank_hits(likelihoods, first_stage, FusionConfig(weight=weight))
        assert order(page) == ranking.order
        shown = [score.inner_text().replace("−", "-") for score in page.locator("#after .score").all()]
        assert shown == [f"{score:.3f}" for score in ranking.scores]
        moves = [move.text_content()[:1] for move in page.locator("#after .move").all()]
        assert moves == ["=▲▼"[(place > rank) - (place < rank)] for rank, place in enumerate(ranking.order)]
    page.locator("#weight-reset").click()
    assert order(page) == reranked
    assert "POST" not in methods


def test_everything_can_be_done_from_the_keyboard(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    page.locator("#query").blur()
    page.keyboard.press("/")
    page.keyboard.type(QUERY)
    page.keyboard.press("Enter")
    page.locator("#status", has_text="passages/s").wait_for()
    page.locator("#query").blur()
    page.keyboard.press("w")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert page.locator("#weight-value").inner_text() == "0.82"
    page.locator("#after .hit").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = page.locator("#after > li").nth(1)
    assert second.locator(".hit").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowLeft")
    focused = page.locator("#before .hit:focus")
    assert focused.count() == 1
    assert focused.locator("..").get_attribute("data-place") == second.get_attribute("data-place")
    page.keyboard.press("Escape")
    assert page.locator("#details").is_hidden()


def test_hints_are_marked_and_the_heat_map_shows_each_token_with_and_without_them(open_page: Open) -> None:
    page = open_page()
    ask(page)
    page.locator("#passage mark").first.wait_for()
    assert [mark.inner_text() for mark in page.locator("#passage mark").all()] == ["the", "longest", "river"]
    assert page.locator("#passage").inner_text() == PASSAGES[2][3]
    assert page.locator("#passage .unread").count() == 1
    columns = page.locator("#tokens .token:not(.labels)")
    assert [column.locator(".word").inner_text() for column in columns.all()] == QUERY.split()
    assert [heat.inner_text() for heat in columns.first.locator(".heat").all()] == ["−1.5", "−2.0"]
    likely, unlikely = (columns.nth(place).locator(".heat").first for place in (0, 2))
    colour = "one => getComputedStyle(one).backgroundColor"
    assert likely.evaluate(colour) != unlikely.evaluate(colour)
    page.locator("#model").select_option("plain")
    ask(page)
    page.locator("#tokens-note", has_text="no hints").wait_for()
    assert page.locator("#passage mark").count() == 0
    assert page.locator("#weight-value").inner_text() == "0.50"


def test_text_is_never_markup(open_page: Open) -> None:
    page = open_page()
    ask(page, SCRIPT)
    page.locator("#before .hit").nth(1).click()
    page.locator("#passage", has_text="<script>").wait_for()
    assert page.locator("#passage").inner_text() == PASSAGES[1][3]
    assert page.locator("img").count() == 0
    assert page.title() == "pyserini-qpeft"


def test_pasted_texts_are_ranked_and_fused_if_they_have_scores(open_page: Open) -> None:
    page = open_page()
    page.get_by_text("Paste texts").click()
    page.locator("#texts").fill("Cairo is a city.\nthe longest river\n<b>bold</b>")
    ask(page)
    assert order(page)[0] == 1
    assert page.locator("#weight").is_disabled()
    assert "no first-stage scores" in page.locator("#fusion-note").inner_text()
    page.locator("#texts").fill("3\tCairo is\na city.\n\n2\tthe longest river\n\n1\t<b>bold</b>")
    ask(page)
    page.locator("#weight").fill("0")
    assert order(page) == [0, 1, 2]
    assert page.locator("#before .hit").nth(2).inner_text().split("\n")[-1] == "<b>bold</b>"


def test_a_query_can_be_stopped_and_asked_again(open_page: Open) -> None:
    page = open_page()
    waiting = []
    page.route("**/page/score", lambda route: waiting.append(route))
    page.locator("#query").fill(QUERY)
    page.locator("#query").press("Enter")
    page.locator("#status", has_text="Scoring 12 passages").wait_for()
    page.locator("#stop").click()
    page.locator("#status", has_text="Stopped.").wait_for()
    assert len(waiting) == 1
    page.unroute("**/page/score")
    ask(page)
    assert order(page)[0] == 2
    assert page.locator("#error").is_hidden()


def test_an_address_shows_the_same_query_and_weight_again(open_page: Open) -> None:
    page = open_page()
    ask(page)
    page.locator("#weight").fill("0.3")
    again = open_page(page.url)
    again.locator("#status", has_text="passages/s").wait_for()
    assert again.locator("#query").input_value() == QUERY
    assert again.locator("#weight-value").inner_text() == "0.30"
    assert order(again) == order(page)


def test_examples_of_the_server_are_one_click_away(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="a capital of Egypt").click()
    page.locator("#status", has_text="passages/s").wait_for()
    assert page.locator("#query").input_value() == "a capital of Egypt"


def test_mistakes_are_shown_in_the_words_of_the_server(open_page: Open) -> None:
    page = open_page(expected=("422",))
    page.locator("#query").fill("wrong")
    page.locator("#query").press("Enter")
    page.locator("#error", has_text="the query is wrong.").wait_for()
    page.locator("#query").fill("nothing")
    page.locator("#query").press("Enter")
    page.locator("#status", has_text="The index has no passage for this query.").wait_for()
    assert page.locator("#error").is_hidden()


def test_a_server_with_a_token_asks_for_it_once(open_page: Open) -> None:
    with running(app_of(StubService(), token=TOKEN)) as guarded:
        page = open_page(guarded, expected=("401",), ready="#token-dialog[open]")
        page.locator("#token").fill("wrong")
        page.locator("#token").press("Enter")
        page.locator("#token-dialog[open]").wait_for()
        page.locator("#token").fill(TOKEN)
        page.locator("#token").press("Enter")
        page.locator("#model option").first.wait_for(state="attached")
        ask(page)
        page.reload()
        page.locator("#after .hit").first.wait_for()
        # The page may still be asking for hints; without a server each answer would be an error on the console.
        page.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1920])
def test_no_width_needs_scrolling_sideways(open_page: Open, width: int) -> None:
    page = open_page(width=width)
    ask(page)
    page.locator("#after .hit").first.click()
    page.locator("#passage mark").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_narrow_screen_shows_one_list_at_a_time(open_page: Open) -> None:
    page = open_page(width=390)
    ask(page)
    assert page.locator("#before").is_hidden()
    assert page.locator("#after .move").first.is_visible()
    page.get_by_text("Before", exact=True).first.click()
    assert page.locator("#before").is_visible()
    assert page.locator("#after").is_hidden()


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: Open) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    page, dark = open_page(color_scheme="light"), open_page(color_scheme="dark")
    assert page.evaluate(colour) != dark.evaluate(colour)
    for _ in range(2):
        page.locator("#theme").click()
    assert page.locator("#theme").inner_text() == "Theme: dark"
    assert page.evaluate(colour) == dark.evaluate(colour)
    page.reload()
    assert page.locator("#theme").inner_text() == "Theme: dark"


def test_a_cascade_shows_its_order_the_stage_of_each_hit_and_no_slider(open_page: Open) -> None:
    page = open_page()
    page.locator("#model").select_option("quick@9,exact@3")
    ask(page)
    assert order(page)[:4] == [2, 1, 0, 3]
    assert [stage.inner_text() for stage in page.locator("#after .stage").all()][:4] == ["stage 2"] * 3 + ["stage 1"]
    assert page.locator("#weight").is_hidden()
    assert "A cascade: 1 quick → 2 exact." in page.locator("#fusion-note").inner_text()
    page.locator("#after .hit").first.click()
    figures = page.locator("#details-figures").inner_text()
    assert "After quick" in figures
    assert "After exact" in figures
    page.locator("#model").select_option("plain")
    ask(page)
    assert page.locator("#weight").is_visible()
    assert page.locator("#after .stage").count() == 0


def test_the_best_window_of_a_document_is_shown_and_marked(open_page: Open) -> None:
    page = open_page()
    page.locator("#model").select_option("long")
    ask(page)
    first = page.locator("#after > li").first
    text = PASSAGES[order(page)[0]][3]
    assert first.locator(".snippet").inner_text() == f"… {text[len(text) // 2 :].strip()}"
    assert first.locator(".chance").inner_text().endswith("%")
    page.locator("#passage .best").first.wait_for()
    assert "".join(page.locator("#passage .best").all_text_contents()) == text[len(text) // 2 :]
    assert page.locator("#passage").text_content() == text
    assert page.locator("#window-list li").all_text_contents() == ["−5.00", "−4.00"]
    assert "Relevant" in page.locator("#details-figures").inner_text()


def test_hits_that_were_not_scored_in_time_stay_below(open_page: Open) -> None:
    page = open_page()
    ask(page, "hurry")
    assert order(page)[-2:] == [len(PASSAGES) - 2, len(PASSAGES) - 1]
    assert "10 scored" in page.locator("#status").inner_text()
    page.locator("#weight").fill("0.2")
    assert order(page)[-2:] == [len(PASSAGES) - 2, len(PASSAGES) - 1]
    page.locator("#after .hit").last.click()
    assert "not scored" in page.locator("#details-figures").inner_text()
