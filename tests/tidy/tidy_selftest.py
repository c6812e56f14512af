#!/usr/bin/env python3
"""Plants one violation of each kind in a small tree and checks that tidy.py goes red, and only then."""

import tempfile
import unittest
from pathlib import Path

import tidy

CLEAN = {
    "src/base/README.md": "base: `result.h`, up\n",
    "src/base/result.h": "#pragma once\n",
    "src/store/README.md": "store: segment a b near mark wide long\n",
    "src/store/segment.h": '#pragma once\n#include "base/result.h"\n',
    "src/store/segment.cc": '#include "store/segment.h"\n\n#include <vector>\n',
    "src/store/CMakeLists.txt": "tarn_module(store SOURCES segment.cc DEPS base LIBS fmt::fmt)\n",
    "docs/README.md": "See ~/.databrickscfg and /var/lib/tarn and /usr/lib/postgresql/17.\n",
}


class TidySelfTest(unittest.TestCase):
    def findings(self, planted=None):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**CLEAN, **(planted or {})}.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            for name, text in (planted or {}).items():
                if text == "":
                    Path(folder, name).unlink()
            return [line.replace(str(folder), "") for line in tidy.Tidy(folder).run()]

    def assert_red(self, planted, where, what):
        found = self.findings(planted)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(where), found)
        self.assertIn(what, found[0])

    def test_a_clean_tree_is_green(self):
        self.assertEqual(self.findings(), [])

    def test_an_include_up_the_levels(self):
        self.assert_red({"src/base/up.cc": '#include "store/segment.h"\n'},
                        "src/base/up.cc:1", "base (level 0) uses store (level 2)")

    def test_an_include_within_a_level(self):
        self.assert_red({"src/meta/README.md": "meta: side\n", "src/meta/side.h": '#include "store/segment.h"\n'},
                        "src/meta/side.h:1", "meta (level 2) uses store (level 2)")

    def test_a_dependency_up_the_levels(self):
        self.assert_red({"src/store/CMakeLists.txt": "tarn_module(store\n  DEPS base\n  compute)\n"},
                        "src/store/CMakeLists.txt:3", "uses compute")

    def test_a_cycle_between_folders(self):
        found = self.findings({"src/base/result.h": '#pragma once\n#include "store/segment.h"\n'})
        self.assertTrue(any("include cycle" in line for line in found), found)
        self.assertTrue(any("base (level 0) uses store" in line for line in found), found)

    def test_a_cycle_between_files(self):
        self.assert_red({"src/store/a.h": '#include "store/b.h"\n', "src/store/b.h": '#include "store/a.h"\n'},
                        "src/store/a.h", "include cycle: a.h -> b.h -> a.h")

    def test_an_include_that_is_no_path_from_src(self):
        self.assert_red({"src/store/near.cc": '#include "segment.h"\n'}, "src/store/near.cc:1", "not a path from src/")

    def test_a_folder_without_readme(self):
        self.assert_red({"src/store/README.md": ""}, "src/store:0", "no README.md")

    def test_a_source_that_no_readme_names(self):
        self.assert_red({"src/store/extra.h": "#pragma once\n"}, "src/store/README.md:0", "does not name extra.h")
        self.assertEqual(self.findings({"src/store/extra_test.cc": "int main() {}\n"}), [])

    def test_a_folder_without_level(self):
        self.assert_red({"src/other/README.md": "other\n"}, "src/other:0", "no level")

    def test_marks(self):
        for mark in ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]:
            self.assert_red({"src/store/mark.cc": f"// {mark}: later\n"}, "src/store/mark.cc:1", mark)
        self.assertEqual(self.findings({"script/run.sh": "mktemp name.XX" + "XXXX\n"}), [])

    def test_a_wide_line(self):
        self.assert_red({"src/store/wide.cc": "x" * 101 + "\n"}, "src/store/wide.cc:1", "101 columns")
        self.assertEqual(self.findings({"src/store/wide.cc": "x" * 100 + "\n"}), [])

    def test_a_long_file(self):
        self.assert_red({"src/store/long.cc": "\n" * 901}, "src/store/long.cc:901", "more than 900 lines")
        self.assertEqual(self.findings({"src/store/long.cc": "\n" * 900}), [])

    def test_invariants_and_their_tests(self):
        def header(text):
            return {"src/store/near.h": f"// Invariants\n{text}//\n// Threads: any.\n"}
        test = {"src/store/near_test.cc": "TEST_F(Near, Holds) {}\n"}
        good = header("//   N1  holds, and\n//       how. [Near.Holds,\n//       near_test.cc]\n"
                      "//   N2  holds. [assumed of the caller]\n")
        self.assertEqual(self.findings({**good, **test}), [])
        self.assert_red(good | {"src/store/near_test.cc": "\n"}, "src/store/near.h:2", "Near.Holds, which is no test")
        self.assert_red(header("//   N1  holds.\n"), "src/store/near.h:2", "N1 names no test")
        self.assert_red({**header("//   N1  holds. [near_test.cc]\n"), **test, "docs/a.md": "- N1 Holds. [`Near.Holds`]\n"},
                        "src/store/near.h:2", "N is the letter of a.md")

    def test_paths_of_one_machine(self):
        for path in ["/ho" + "me/jane/tarn", "/ro" + "ot/tarn", "/op" + "t/pg/17"]:
            self.assert_red({"docs/a.md": f"run {path}/bin\n"}, "docs/a.md:1", "path of one machine")

    def test_a_dead_link(self):
        self.assert_red({"docs/b.md": "see [the page](gone.md#part)\n"}, "docs/b.md:1", "link to gone.md")
        self.assertEqual(self.findings({"docs/b.md": "see [it](README.md#x), [out](https://example.org/x)\n"}), [])

    def test_the_path_of_the_checkout_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder).resolve() / "notes.md"
            path.write_text(f"see {path}\n")
            found = tidy.Tidy(folder).run()
        self.assertEqual(len(found), 1, found)
        self.assertIn("path of one machine", found[0])


if __name__ == "__main__":
    unittest.main()
