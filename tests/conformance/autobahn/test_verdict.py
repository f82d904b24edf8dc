"""Proves that the verdict can be bad: `python3 -m unittest test_verdict`."""

import json
import os
import tempfile
import unittest

from verdict import failures, merge, select, summary

OK = {"behavior": "OK", "behaviorClose": "OK"}
INFORMATIONAL = {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"}


class Failures(unittest.TestCase):
    def test_all_ok(self):
        self.assertEqual(failures(["1.1.1", "7.1.6"], {"1.1.1": OK, "7.1.6": INFORMATIONAL}), [])

    def test_anything_else_of_behavior_or_close_is_a_failure(self):
        others = ["NON-STRICT", "UNIMPLEMENTED", "FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT"]
        for other in [*others, "INFORMATIONAL", "ok", "", None]:
            for field in OK:
                with self.subTest(field=field, value=other):
                    found = failures(["6.4.1"], {"6.4.1": {**OK, field: other}})
                    self.assertEqual(len(found), 1)
                    self.assertIn(f"{other}", found[0])

    def test_a_field_that_is_missing(self):
        self.assertEqual(failures(["1.1.1"], {"1.1.1": {}}), ["1.1.1: behavior None, close None"])

    def test_what_the_suite_never_calls_ok_must_not_be_ok(self):
        self.assertEqual(failures(["7.13.1"], {"7.13.1": OK}), ["7.13.1: behavior OK, close OK"])

    def test_cases_that_did_not_run(self):
        self.assertEqual(failures(["1.1.1", "10.1.1", "2.1"], {"2.1": OK}), ["1.1.1: did not run", "10.1.1: did not run"])

    def test_cases_that_nobody_asked_for(self):
        self.assertEqual(failures(["1.1.1"], {"1.1.1": OK, "2.1": OK}), ["2.1: was not asked for"])

    def test_a_run_that_did_nothing(self):
        self.assertEqual(failures(["1.1.1"], {}), ["1.1.1: did not run"])


class Select(unittest.TestCase):
    KNOWN = ["1.1.1", "1.1.2", "2.1", "2.10", "12.1.1", "12.10.1"]

    def test_groups_and_cases(self):
        self.assertEqual(select("12.1,1", self.KNOWN), ["1.1.1", "1.1.2", "12.1.1"])
        self.assertEqual(select("2.1,2.1", self.KNOWN), ["2.1"])

    def test_unknown_names(self):
        for name in ["3", "1.", "", "1.1.1,", "*"]:
            with self.subTest(name=name), self.assertRaises(ValueError):
                select(name, self.KNOWN)


class Merge(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def report(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as out:
            json.dump(content, out)
        return path

    def test_reports_add_up(self):
        paths = [self.report("a", {"us": {"1.1.1": OK}}), self.report("b", {"us": {"2.1": OK}})]
        self.assertEqual(merge(paths, "us"), {"1.1.1": OK, "2.1": OK})

    def test_no_report(self):
        with self.assertRaises(OSError):
            merge([os.path.join(self.folder.name, "none")], "us")

    def test_a_report_of_others_or_of_nobody(self):
        for content in [{"them": {}}, {"us": {}, "them": {}}, {}]:
            with self.subTest(content=content), self.assertRaises(ValueError):
                merge([self.report("a", content)], "us")

    def test_twice_the_same_case(self):
        path = self.report("a", {"us": {"1.1.1": OK}})
        with self.assertRaises(ValueError):
            merge([path, path], "us")


class Summary(unittest.TestCase):
    def test_groups_in_order(self):
        lines = list(summary({"10.1.1": OK, "2.1": {**OK, "behavior": "NON-STRICT"}, "2.2": OK}))
        self.assertEqual(
            lines, ["  group  2:   2 cases, 1 NON-STRICT (close OK), 1 OK", "  group 10:   1 cases, 1 OK"]
        )


if __name__ == "__main__":
    unittest.main()
