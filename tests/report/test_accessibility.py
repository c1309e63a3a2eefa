"""The rules of accessibility, which axe-core holds over pages."""

from __future__ import annotations


def test_a_page_that_breaks_rules_is_told_so(browser, violations, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<title>A page</title><img src=''><p style='color: #aaa'>pale</p>")
    browser.open(page)
    broken = {rule.partition(":")[0] for rule in violations()}
    assert {"color-contrast", "html-has-lang", "image-alt"} <= broken
