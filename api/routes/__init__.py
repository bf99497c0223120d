"""Routes, one module per noun, named like the packages they stand on."""

from api.routes.finding import blueprint as finding
from api.routes.health import blueprint as health
from api.routes.logs import blueprint as logs
from api.routes.metrics import blueprint as metrics
from api.routes.pages import blueprint as pages
from api.routes.pages_home import blueprint as pages_home
from api.routes.pages_logs import blueprint as pages_logs
from api.routes.pages_verify import blueprint as pages_verify
from api.routes.pages_write import blueprint as pages_write
from api.routes.papers import blueprint as papers
from api.routes.recording import blueprint as recording
from api.routes.records import blueprint as records
from api.routes.subjects import blueprint as subjects
from api.routes.tiles import blueprint as tiles
from api.routes.verify import blueprint as verify
from api.routes.webhooks import blueprint as webhooks

BLUEPRINTS = (
    *(recording, finding, records, papers, subjects, verify, webhooks, logs, tiles, health, metrics),
    *(pages, pages_logs, pages_verify, pages_home, pages_write),
)
