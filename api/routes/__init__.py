"""Routes, one module per noun, named like the packages they stand on."""

from api.routes.finding import blueprint as finding
from api.routes.health import blueprint as health
from api.routes.logs import blueprint as logs
from api.routes.metrics import blueprint as metrics
from api.routes.recording import blueprint as recording
from api.routes.records import blueprint as records
from api.routes.subjects import blueprint as subjects
from api.routes.tiles import blueprint as tiles
from api.routes.verify import blueprint as verify
from api.routes.webhooks import blueprint as webhooks

BLUEPRINTS = (recording, finding, records, subjects, verify, webhooks, logs, tiles, health, metrics)
