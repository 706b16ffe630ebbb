//! Frameworks for Python. Only Django has a generator.

use crate::generated::Generated;

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn fastapi() {
    Generated::with_files(&[
        ("requirements.txt", "fastapi[standard]\n"),
        (
            "app/main.py",
            "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/\")\ndef read_root():\n    return {\"Hello\": \"World\"}\n",
        ),
        ("app/__init__.py", ""),
    ])
    .serves("fastapi", "{\"Hello\":\"World\"}");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn flask() {
    Generated::with_files(&[
        ("requirements.txt", "flask\n"),
        (
            "app.py",
            "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.route(\"/\")\ndef hello_world():\n    return \"<p>Hello, World!</p>\"\n",
        ),
    ])
    .serves("flask", "<p>Hello, World!</p>");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn django() {
    let make = "python3 -m venv make && make/bin/pip install -q django && mkdir app \
                && make/bin/django-admin startproject shop app && rm -r make \
                && echo django > app/requirements.txt";
    Generated::with_command(make).serves("django", "The install worked successfully");
}
