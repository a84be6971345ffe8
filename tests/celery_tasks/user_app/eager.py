from celery import Celery

app = Celery("eager", broker="redis://127.0.0.1:1/0")
app.conf.task_always_eager = True
