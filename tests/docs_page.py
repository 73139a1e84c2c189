"""Opens /docs in a headless Chromium, sends its example with the keyboard alone, and reads the two probabilities.

    tests/python.sh docs_page.py [--shots FOLDER]

Fails if the page asks for anything from elsewhere, breaks its own content-security-policy, or is too wide for a phone.
Needs Debian's chromium and chromium-driver, or CHROMIUM and CHROMEDRIVER, paths to others; selenium comes from PyPI.
"""

import argparse
import base64
import json
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.request

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(pathlib.Path(__file__).parent / "reliability"))
from service import BODY, KEY, Service, check  # noqa: E402


def chromium(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={profile}",
        "window-size=1280,1000",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


def ask(service):
    """The answer to the example, without a browser."""
    request = urllib.request.Request(
        f"{service.url}/reg/", BODY, {"x-api-key": KEY, "content-type": "application/json"}
    )
    return urllib.request.urlopen(request).read().decode()


def try_it(browser, service):
    wait = WebDriverWait(browser, 20)
    find = lambda name: browser.find_element(By.ID, name)  # noqa: E731
    browser.get(f"{service.url}/docs")
    wait.until(lambda _: find("body").get_attribute("value"))
    check(json.loads(find("body").get_attribute("value")) == json.loads(BODY), "the example is filled in")

    find("body").send_keys(Keys.CONTROL, Keys.ENTER)
    wait.until(lambda _: "401" in find("status").text)
    check("The key is missing or wrong" in find("status").text, "without a key the page says what 401 means")

    find("key").send_keys(KEY, Keys.ENTER)
    wait.until(lambda _: "200" in find("status").text)
    expected = ask(service)
    check(find("text").text + "\n" == expected, "the answer is shown byte for byte")
    said = json.loads(expected)["body"]
    bars = [bar.text.splitlines()[0] for bar in browser.find_elements(By.CSS_SELECTOR, ".meter")]
    check(
        [bar.split()[0] for bar in bars] == ["positive", "negative"]
        and [float(bar.split()[1]) for bar in bars] == [said["positive"], said["negative"]],
        f"the two probabilities are read off the page: {bars}",
    )
    check(not browser.find_elements(By.ID, "contributions"), "nothing is explained unless it is asked for")
    find("explain").send_keys(Keys.SPACE)
    find("body").send_keys(Keys.CONTROL, Keys.ENTER)
    wait.until(lambda _: browser.find_elements(By.ID, "contributions"))
    explanation = json.loads(find("text").text)["body"]["explanation"]
    rows = browser.find_elements(By.CSS_SELECTOR, "#contributions tbody tr")
    check(
        [row.text.split() for row in rows]
        == [[one["field"], f"{one['value']:.4f}"] for one in explanation["contributions"]],
        "a bar per field shows what it adds",
    )
    widths = [row.find_element(By.CSS_SELECTOR, ".bar span").size["width"] for row in rows]
    check(widths[0] > 20 and widths == sorted(widths, reverse=True), f"the bars are ordered by size: {widths}")

    stored = browser.execute_script("return [localStorage.length, sessionStorage.length, document.cookie]")
    check(stored == [0, 0, ""], "the key is kept nowhere")
    check(len(browser.find_elements(By.CSS_SELECTOR, "#field-table tbody tr")) == 10, "ten fields are listed")
    check(len(browser.find_elements(By.CSS_SELECTOR, "#operations details")) == 11, "the routes are listed")


def look(browser, service):
    """What the browser noted meanwhile."""
    console = [entry for entry in browser.get_log("browser") if "401" not in entry["message"]]
    check(not console, f"the console is empty, but for the 401: {console}")
    asked = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"].split(",")[0])
    elsewhere = [url for url in asked if not url.startswith((service.url, "data:", "chrome:"))]
    check(not elsewhere, f"nothing is asked for elsewhere: {elsewhere}")


def shoot(browser, folder):
    sizes = {"desktop": (1280, 1000, False), "phone": (390, 844, True)}
    for name, (width, height, mobile) in sizes.items():
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
        )
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        check(wide <= width, f"{name}: nothing is wider than {width} pixels ({wide})")
        if folder:
            for scheme in ("light", "dark"):
                browser.execute_cdp_cmd(
                    "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                )
                whole = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
                (folder / f"docs-{name}-{scheme}.png").write_bytes(base64.b64decode(whole["data"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shots", type=pathlib.Path, help="folder for screenshots")
    shots = parser.parse_args().shots
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    profile = tempfile.mkdtemp()
    try:
        with Service() as service, chromium(profile) as browser:
            try_it(browser, service)
            look(browser, service)
            shoot(browser, shots)
    finally:
        shutil.rmtree(profile, ignore_errors=True)


main()
