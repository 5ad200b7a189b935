"""The page of a project: as HTML, and in a real browser in front of a running service."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from request_cases import project

from infra.api_keys import KeyStore
from infra.prediction_log import PredictionLog
from infra.releases import REFERENCE_FILE, Releases
from infra.settings import Settings
from leitstand.contract import Bilingual, Column, PersonalData
from leitstand.model import ModelCard
from leitstand.texts import LANGUAGES, Language, messages
from serving.answers import ServedModel
from serving.launch import Service, start_service
from serving.page import Listed, index, page, page_headers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
HOSTILE = "</script><img src=x onerror=alert(1)>'\""
CARD = ModelCard(
    project="demo", task="regression", candidate="ridge", target="target", feature_names=("x",), ranges={"x": (0, 1)}
)
SERVED = ServedModel(name="demo", version=3, data_version="5f1d8a6b1234567890", synthetic=True)


class Tags(HTMLParser):
    """The elements of a page and the texts of its scripts."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_that_others_wrote_becomes_markup(language: Language) -> None:
    described = Bilingual(en=HOSTILE, de=HOSTILE)
    case = project(
        Column(name=HOSTILE, type="string", unit=HOSTILE, pattern=HOSTILE, required=True),
        Column(name="kind", type="string", description=described, allowed=(HOSTILE, "b")),
        title={"de": HOSTILE, "en": HOSTILE},
        data={"history_rows": 2},
    )
    served = SERVED.model_copy(update={"data_version": HOSTILE})
    made = page(case, served, CARD, language, protected=True)
    found = Tags(made)
    assert not found.of("img")
    assert len(found.of("script")) == 2
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert made.count(b"</script>") == 2
    listed = index([Listed(HOSTILE, HOSTILE, "regression", detail=HOSTILE), Listed(HOSTILE, HOSTILE, "anomaly", 1)], language)
    assert not Tags(listed).of("img", "script")


def test_the_page_loads_nothing_and_runs_only_its_own_script() -> None:
    found = Tags(page(project(Column(name="x", type="number")), SERVED, CARD, "en", protected=False))
    links = [
        value or "" for _, attributes in found.tags for name, value in attributes.items() if name in ("src", "href", "action")
    ]
    assert all(not re.match("(?:[a-z]+:)?//", link) for link in links)
    policy = page_headers("en")["content-security-policy"]
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", re.search("script-src ([^;]+);", policy)[1])  # type: ignore[index]
    for rule in ("default-src 'none'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_has_a_label_and_stands_in_the_readers_language(language: Language) -> None:
    case = project(
        *(Column(name=kind, type=kind, required=i % 2 == 0) for i, kind in enumerate(("number", "integer", "string", "date"))),  # type: ignore[arg-type]
        Column(name="when", type="timestamp"),
        Column(name="clip", type="file", media_type="audio/wav", max_bytes=2_500_000),
        Column(name="wet", type="boolean"),
        Column(name="kind", type="string", allowed=("a", "b")),
        data={"history_rows": 2},
    )
    made = page(case, SERVED, CARD, language, protected=True)
    found = Tags(made)
    controls = {attributes["id"] for attributes in found.of("input", "select", "textarea")}
    assert controls == {attributes["for"] for attributes in found.of("label")}
    assert len(controls) == 10
    identifiers = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    for attributes in found.of("input", "select", "textarea"):
        assert set((attributes["aria-describedby"] or "").split()) <= identifiers
    assert found.of("html")[0]["lang"] == language
    expected = {
        "en": ("up to 2.5 MB", "Estimate of a number", "synthetic data"),
        "de": ("bis 2,5 MB", "Schätzung einer Zahl", "synthetischen Daten"),
    }
    assert all(text in made.decode() for text in expected[language])


def test_the_script_finds_every_text_that_it_says() -> None:
    made = page(project(Column(name="x", type="number")), SERVED, CARD, "en", protected=False).decode()
    script = made[made.rindex("<script>") :]
    said = set(re.findall(r'say\("(\w+)"', script)) | {"true", "false"}
    known = set(messages("page_script"))
    assert said <= known
    assert {key for key in known - said if not key.startswith("flag_")} <= set(re.findall(r'"(\w+)"', script))


def test_the_form_starts_with_usual_values_in_the_readers_notation() -> None:
    case = project(Column(name="x", type="number", required=True), Column(name="shift", type="string", allowed=("early", "late")))
    german = Tags(page(case, SERVED, CARD, "de", protected=False, usual={"x": 2.346, "shift": "late"}))
    assert [attributes.get("value") for attributes in german.of("input")] == ["2,346"]
    assert [attributes["value"] for attributes in german.of("option") if "selected" in attributes] == ["late"]


@pytest.mark.parametrize(
    ("kind", "protected", "told"), [("none", False, True), ("none", True, False), ("personal", False, False)]
)
def test_what_training_has_seen_is_told_only_of_open_columns(kind: PersonalData, protected: bool, told: bool) -> None:
    case = project(Column(name="x", type="number", personal_data=kind))
    card = CARD.model_copy(update={"ranges": {"x": (1.25, 9.875)}})
    assert (b"9.875" in page(case, SERVED, card, "en", protected=protected)) is told


def test_the_index_lists_what_is_served_and_what_is_not() -> None:
    made = index(
        [Listed("cells", "Cells", "classification", 3), Listed("line", "Line", "regression", detail="No champion.")], "de"
    ).decode()
    assert 'href="cells/?language=de"' in made
    assert "Modellversion 3" in made
    assert "nicht verfügbar" in made
    assert "No champion." in made
    assert 'href="line/' not in made
    assert "Zurzeit wird kein Projekt bedient" in index([], "de").decode()


@pytest.fixture(scope="module")
def place(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the state folder whose releases hold rows to compare with."""
    settings = copied(stage.settings, tmp_path_factory.mktemp("page") / "home")
    releases = Releases(settings)
    for name in ("cells", "line"):
        target = stage.projects[name].spec.data.target
        reference = stage.frames[name].rename(columns={target: "label"})
        reference.to_parquet(releases.folder(name, 1) / REFERENCE_FILE)
    releases.close()
    return settings


@pytest.fixture(scope="module")
def service(place: Settings) -> Iterator[Service]:
    with start_service(["cells", "line", "sounds", "untrained"], place) as running:
        yield running


def copied(settings: Settings, home: Path) -> Settings:
    shutil.copytree(settings.root, home)
    return Settings(home=home, workspace=settings.workspace)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def tab(browser: Browser, service: Any) -> Iterator[Page]:
    context = browser.new_context(base_url=service.url, locale="en-US", viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None)
    yield opened
    context.close()
    assert wrong == []


def answer(tab: Page) -> str:
    expect(tab.locator("#predict")).to_be_enabled()
    return tab.locator("section").inner_text()


@pytest.mark.slow
def test_a_class_is_answered_in_words_with_its_probabilities(tab: Page) -> None:
    tab.goto("/cells/")
    tab.get_by_label("Mean radius of the nuclei").fill("25,5")
    tab.get_by_role("button", name="Predict").click()
    expect(tab.locator("#headline")).to_contain_text("malignant")
    said = answer(tab)
    assert re.search(r"malignant\s+(> )?\d+(\.\d)?%", said)
    assert "Model version 1" in said
    assert re.fullmatch("[0-9a-f-]{36}", tab.locator("#prediction-id").inner_text())


@pytest.mark.slow
def test_the_page_speaks_german_and_understands_german_numbers(tab: Page) -> None:
    tab.goto("/line/")
    tab.get_by_role("link", name="Deutsch").click()
    expect(tab.locator("h1")).to_have_text("Fall line")
    tab.get_by_label("machine").fill("AB-1")
    tab.get_by_label("temperature").fill("1.00,5")
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#f2-error")).to_have_text(
        "Zeile 1, 'temperature': erwartet eine Zahl von -20 bis 400 in °C, gefunden \"1.00,5\"."
    )
    expect(tab.get_by_label("temperature")).to_be_focused()
    tab.get_by_label("temperature").fill("100,5")
    tab.get_by_label("cycles").fill("1.234")
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#f3-error")).to_have_text("'1.234' kann 1,234 oder 1234 bedeuten. Bitte eines der beiden schreiben.")
    tab.get_by_label("cycles").fill("1234")
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#headline")).to_contain_text(re.compile(r"\d,\d+ Pa·s"))
    said = answer(tab)
    assert re.search(r"erwartet zwischen \d+,\d+ und \d+,\d+ Pa·s", said)
    assert "Was daraus folgt" in said
    assert "Außerhalb des Bereichs" in said
    expect(tab.locator("#f3-flag")).to_contain_text("Außerhalb des Trainingsbereichs")


@pytest.mark.slow
def test_a_value_outside_training_is_marked_at_its_field(tab: Page) -> None:
    tab.goto("/cells/")
    radius = tab.get_by_label("Mean radius of the nuclei")
    radius.fill("49")
    radius.press("Enter")
    expect(tab.locator("#f0-flag")).to_have_text("Outside the training range 6.981 to 28.11")
    assert "Outside the range the model was trained on: Mean radius of the nuclei." in answer(tab)
    radius.fill("14")
    expect(tab.locator("#f0-flag")).to_be_hidden()


@pytest.mark.slow
def test_a_refused_value_is_explained_at_its_field(tab: Page) -> None:
    tab.goto("/cells/")
    radius, texture = tab.get_by_label("Mean radius of the nuclei"), tab.get_by_label("mean texture")
    radius.fill("71.2")
    texture.fill("")
    tab.get_by_role("button", name="Predict").click()
    expect(tab.locator("#f0-error")).to_have_text("Row 1, 'mean radius': expected a number from 0 to 50 in µm, found 71.2.")
    expect(tab.locator("#f1-error")).to_contain_text("'mean texture' is missing")
    expect(radius).to_be_focused()
    expect(radius).to_have_attribute("aria-invalid", "true")
    expect(tab.get_by_role("alert")).to_contain_text("The request breaks the data contract")


@pytest.mark.slow
def test_the_truth_goes_back_under_the_predictions_id(tab: Page, place: Settings) -> None:
    tab.goto("/cells/")
    tab.get_by_role("button", name="Predict").click()
    tab.get_by_label("What was it really?").select_option("benign")
    tab.get_by_role("button", name="Send").click()
    expect(tab.locator("#truth-note")).to_have_text("Noted. Thank you.")
    kept = PredictionLog(place.database("predictions")).read("cells").set_index("id")
    assert kept.loc[tab.locator("#prediction-id").inner_text(), "label"] == "benign"


@pytest.mark.slow
def test_a_truth_that_the_contract_does_not_know_is_refused_at_its_field(tab: Page) -> None:
    tab.goto("/cells/")
    tab.get_by_role("button", name="Predict").click()
    tab.get_by_role("button", name="Send").click()
    expect(tab.locator("#truth-error")).to_contain_text('expected one of "malignant", "benign", found ""')


@pytest.mark.slow
def test_a_file_is_sent_and_an_anomaly_shown_against_its_threshold(tab: Page) -> None:
    tab.goto("/sounds/")
    tab.get_by_role("button", name="Predict").click()
    expect(tab.locator("#f0-error")).to_contain_text("'recording' is missing")
    file = {"name": "a.wav", "mimeType": "application/octet-stream", "buffer": bytes([0, 255] * 20)}
    tab.get_by_label("recording").set_input_files(file)
    tab.get_by_role("button", name="Predict").click()
    expect(tab.locator("#headline")).to_contain_text("Anomalous")
    assert re.search(r"Score \d.*; from 1.5 on a row is anomalous", answer(tab))
    tab.get_by_label("recording").set_input_files(file | {"buffer": bytes(65)})
    tab.get_by_role("button", name="Predict").click()
    expect(tab.locator("#f0-error")).to_have_text("The file is larger than 0.1 kB.")


@pytest.mark.slow
def test_earlier_rows_come_in_as_csv_and_change_the_answer(tab: Page) -> None:
    tab.goto("/line/?language=de")
    tab.get_by_label("machine").fill("AB-1")
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#headline")).to_contain_text("Pa·s")
    alone = tab.locator("#headline").inner_text()
    earlier = tab.get_by_label("Frühere Zeilen")
    earlier.fill('time;machine;temperature;oiled\n31.01.2026 13:30;"AB-1";180,5;ja')
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#headline")).not_to_have_text(alone, use_inner_text=True)
    expect(tab.locator("#headline")).to_contain_text("Pa·s")
    earlier.fill("time;machine\n31.01.2026 13:30")
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#history-error")).to_have_text("Zeile 2 hat 1 Werte, die erste Zeile nennt 2 Spalten.")
    earlier.fill('[{"time": "2026-01-31", "machine": "x", "temperature": 1}]')
    tab.get_by_role("button", name="Vorhersagen").click()
    expect(tab.locator("#history-error")).to_contain_text("'machine': erwartet")


@pytest.mark.slow
def test_a_guarded_service_shows_its_pages_to_holders_of_a_key_only(browser: Browser, place: Settings, tmp_path: Path) -> None:
    settings = copied(place, tmp_path / "home")
    secret = KeyStore(settings.database("keys")).create("shop", ["cells"], ["predict"], who="Ada").text
    with start_service(["cells", "line"], settings) as guarded:
        for path in ("/", "/cells/", "/line/"):
            answer = httpx.get(f"{guarded.url}{path}", trust_env=False)
            assert (answer.status_code, answer.headers["www-authenticate"].split()[0]) == (401, "Basic")
            assert not any(told in answer.text for told in ("mean radius", "Case cells", "temperature"))
        held = httpx.Client(base_url=guarded.url, trust_env=False, auth=("me", secret))
        assert ("cells/" in held.get("/").text, "line/" in held.get("/").text) == (True, False)
        assert held.get("/line/").status_code == 403
        held.close()
        context = browser.new_context(
            base_url=guarded.url, locale="en-US", http_credentials={"username": "me", "password": secret}
        )
        tab = context.new_page()
        tab.set_default_timeout(15_000)
        tab.goto("/cells/")
        tab.get_by_label("API key").fill(f" {secret} ü")
        tab.get_by_role("button", name="Predict").click()
        expect(tab.locator("#headline")).to_contain_text(re.compile("benign|malignant"))
        tab.get_by_label("API key").fill("")
        with tab.expect_response("**/predict") as again:
            tab.get_by_role("button", name="Predict").click()
        assert again.value.status == 200  # what the browser was told it sends along
        tab.locator("summary").click()
        assert secret not in tab.content()
        assert "28.11" not in tab.content()  # what training has seen is not for everybody who may predict
        context.close()


@pytest.mark.slow
def test_an_explanation_adds_up_and_says_so_in_words(tab: Page) -> None:
    tab.goto("/cells/?language=de")
    tab.get_by_role("button", name="Begründen").click()
    expect(tab.locator("#headline")).to_contain_text(re.compile("benign|malignant"), timeout=60_000)
    said = answer(tab)
    assert "Am meisten zählt" in said
    first, *amounts, last = [percentage(found) for found in tab.locator(".chances .percent").all_inner_texts()]
    assert first + sum(amounts) == pytest.approx(last, abs=0.5)
    tab.get_by_role("button", name="Ähnliche Trainingszeilen zeigen").click()
    expect(tab.locator("#answer details")).to_have_count(5)


def percentage(said: str) -> float:
    return float(re.sub("[^-0-9,]", "", said.replace("−", "-")).replace(",", "."))


@pytest.mark.slow
def test_a_service_that_is_gone_is_said_to_be_gone(tab: Page) -> None:
    tab.goto("/cells/")
    tab.context.set_offline(True)
    tab.get_by_role("button", name="Predict").click()
    expect(tab.get_by_role("alert")).to_contain_text("The service does not answer.")


NUMBERS = {
    "en": {"3.5": 3.5, "3,5": 3.5, "1,234.5": 1234.5, "1.234,5": 1234.5, "1.234": 1.234, "−7": -7, "1e3": 1000, "1 000": 1000,
           "1,234,567": 1234567, "0,125": 0.125},
    "de": {"3,5": 3.5, "3.5": 3.5, "1.234,5": 1234.5, "1,234.5": 1234.5, "1,234": 1.234, "-7": -7, "1e-3": 0.001, "1.234.567": 1234567,
           "0.125": 0.125},
}  # fmt: skip
NO_NUMBERS = ["", "abc", "1e400", "1.2.3", "1,2,3", "12.34,5,6", "0x10", "Infinity", "--1", ","]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_read_as_people_write_them_and_never_guessed(tab: Page, language: Language) -> None:
    tab.goto(f"/cells/?language={language}")
    button = tab.locator("#predict")

    def sent(typed: str) -> Any:
        tab.get_by_label("mean area").fill(typed)
        with tab.expect_request("**/predict") as asked:
            button.click()
        expect(button).to_be_enabled()
        return json.loads(asked.value.post_data or "")["rows"][0].get("mean area")

    assert {typed: sent(typed) for typed in NUMBERS[language]} == NUMBERS[language]
    assert [sent(typed) or "" for typed in NO_NUMBERS] == NO_NUMBERS
    other = {"en": "1,234", "de": "1.234"}[language]
    tab.get_by_label("mean area").fill(other)
    button.click()
    expect(tab.locator("#f2-error")).to_contain_text(other)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/cells/", "/line/?language=de", "/sounds/"])
def test_the_page_fits_a_narrow_screen_and_can_be_used_by_keyboard(tab: Page, path: str) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(path)
    if path != "/":
        tab.locator("#predict").click()
        expect(tab.locator("#predict")).to_be_enabled()
        tab.locator("summary").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    reached = set()
    for _ in range(40):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached >= ({"language", "A"} if path == "/" else {"language", "f0", "predict", "explain", "SUMMARY"})
