"""Looks at every dashboard in headless Chromium, in the environment of Superset:
`look.py URL PASSWORD_FILE FOLDER SLUG…` writes SLUG.png and
prints one JSON object: by slug the text of the page and the errors of its charts."""

import json
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

# fmt: off
FLAGS = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "disable-dev-shm-usage", "window-size=1400,1700"]
# fmt: on
LOADING = "return document.querySelectorAll('.loading, [data-test=loading-indicator], .ant-spin').length"
CHARTS = "[data-test=slice-container], .slice_container"


def browser(profile: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def look(url: str, password: str, folder: Path, slugs: list[str]) -> dict[str, dict]:
    seen = {}
    with tempfile.TemporaryDirectory() as profile, browser(profile) as driver:
        wait = WebDriverWait(driver, 120)
        driver.get(f"{url}/login/")
        wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "input[type=password]"))
        driver.find_element(By.CSS_SELECTOR, "input[type=text], input#username").send_keys("admin")
        driver.find_element(By.CSS_SELECTOR, "input[type=password]").send_keys(password)
        driver.find_element(By.CSS_SELECTOR, "button[type=submit], input[type=submit]").click()
        wait.until(lambda d: "/login" not in d.current_url)
        for slug in slugs:
            driver.get(f"{url}/superset/dashboard/{slug}/?standalone=1")
            wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, CHARTS))
            # All at once: charts below the fold are drawn when they are scrolled to.
            height = driver.execute_script(
                "return Math.max(1200, document.querySelector('.grid-container').scrollHeight + 120)"
            )
            driver.set_window_size(1400, height)
            quiet = [0]

            def is_drawn(d, quiet=quiet):
                quiet[0] = 0 if d.execute_script(LOADING) else quiet[0] + 1
                return quiet[0] >= 6

            wait.until(is_drawn)
            errors = [e.text for e in driver.find_elements(By.CSS_SELECTOR, "[role=alert], .ant-alert-error")]
            seen[slug] = {"text": driver.find_element(By.TAG_NAME, "body").text, "errors": [e for e in errors if e]}
            driver.save_screenshot(str(folder / f"{slug}.png"))
    return seen


if __name__ == "__main__":
    address, password_file, out, *names = sys.argv[1:]
    print(json.dumps(look(address, Path(password_file).read_text(), Path(out), names)))
