"""A single-page app at /, and its files below /app."""

import pytest

from gateway.http import single_page
from gateway.settings import BadSetting, Settings

HTML = '<!doctype html><meta name="casegraph-demo-key" content=""><script src="/app/app.js">'


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "built"
    made.mkdir()
    (made / "index.html").write_text(HTML, encoding="utf-8")
    (made / "app.js").write_text("export {}")
    return made


class TestServed:
    @pytest.fixture
    def settings(self, settings, folder):
        return settings.but(app=str(folder), demo_key='"><b>')

    async def test_its_page_has_the_key_inside_its_attribute_and_a_policy(self, api):
        response = await api.http.get("/")

        assert response.status_code == 200
        assert 'content="&quot;&gt;&lt;b&gt;">' in response.text
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"

    async def test_its_files_are_served_and_no_others(self, api):
        file = await api.http.get("/app/app.js")
        other = await api.http.get("/app/%2e%2e/cases.db")

        assert file.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert other.status_code == 404

    async def test_both_surfaces_are_where_they_were(self, api):
        assert (await api.rest("GET", "/cases")).status_code == 200
        assert await api.data("{ viewer { mode } }") == {"viewer": {"mode": "LIVE"}}


async def test_without_an_app_the_start_page_leads_to_graphiql(api):
    assert (await api.http.get("/")).headers["Location"] == "/graphql"
    assert (await api.http.get("/app/app.js")).status_code == 404


def test_a_folder_without_a_page_is_refused(tmp_path, folder):
    single_page.check(Settings())
    single_page.check(Settings(app=str(folder)))
    for wrong in (tmp_path, tmp_path / "absent", folder / "index.html"):
        with pytest.raises(BadSetting, match="CASEGRAPH_APP must be a folder with a built app"):
            single_page.check(Settings(app=str(wrong)))
