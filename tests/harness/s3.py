"""A private S3-compatible server: s3proxy, which keeps objects as files and checks signatures."""

import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from . import processes
from .guard import Guard
from .server import PROJECT_ROOT, free_port

LIBRARIES = PROJECT_ROOT / "build/tools/s3proxy"  # script/setup --tests
KEY_ID, SECRET = "tests", "the secret of the tests"

SETTINGS = """\
s3proxy.authorization=aws-v2-or-v4
s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.identity={key_id}
s3proxy.credential={secret}
jclouds.provider=filesystem-nio2
jclouds.identity=none
jclouds.credential=none
jclouds.filesystem.basedir={objects}
"""


class S3Server:
    def __init__(self):
        if not LIBRARIES.is_dir():
            raise FileNotFoundError(f"{LIBRARIES} is not there: script/setup --tests")
        self.root = Path(tempfile.mkdtemp(prefix="tarn-s3-", dir="/var/tmp"))
        self.objects = self.root / "objects"
        self.bucket = self.objects / "backups"  # a folder is a bucket
        self.bucket.mkdir(parents=True)
        self.port = free_port()
        self.log = self.root / "log"
        self.process = None
        self._guard = Guard(self.root)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def environment(self, secret=SECRET):
        return {**os.environ, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": self.url}

    def start(self):
        settings = self.root / "s3proxy.conf"
        settings.write_text(SETTINGS.format(port=self.port, key_id=KEY_ID, secret=SECRET, objects=self.objects))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{Path(__file__).parent / 's3_server'}:{LIBRARIES}/*",
                 "org.gaul.s3proxy.Main", "--properties", str(settings)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        processes.wait_until(self.answers, f"the S3 server (log: {self.log})", 60)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the S3 server ended:\n{self.log.read_text()[-2000:]}")
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url, timeout=5).close()
        except urllib.error.HTTPError:
            return True  # it wants a signature
        except (urllib.error.URLError, OSError):
            return False
        return True

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        self._guard.dismiss()
