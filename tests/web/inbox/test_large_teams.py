"""Many people: the schedule stays short, and the delegate can be searched for."""

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


async def test_large_teams_are_shortened_in_schedule_and_lists(web: WebEnv) -> None:
    team = [f"p{number:02}@acme.example" for number in range(24)]
    for number, email in enumerate(team):
        said = {"email": email, "name": f"Person {number:02}", "roles": ["approver"]}
        assert (await web.post("/v1/people", said, "oscar")).status == 200
    approvers = ["ann@acme.example", "role:approver"]
    human = {"title": "Pay?", "approvers": approvers, "remind": {"after": "1h", "every": "1h"}}
    step = {"id": "ask", "human": human, "deadline": "1d"}
    await web.apply_workflow(workflow="many", intent_type="intent.many.v1", steps=[step])
    many = (await web.send(intent_type="intent.many.v1", payload={}))[:-4] + "0001"
    _, few = await web.ask(assignees=["ann@acme.example"])
    ann = await reader(web, "ann")
    schedule = (await ann.get(f"/tasks/{many}")).text.split("Approvers and schedule")[1]
    assert " more" in schedule
    assert schedule.count("Person 05") <= 1  # among those asked
    page = await ann.get(f"/tasks/{many}")
    assert '<input id="to" name="to" type="email" list="deciders"' in page.html
    assert '<option value="p05@acme.example">Person 05</option>' in page.html
    assert (
        "Person 05"
        not in (await ann.get(f"/tasks/{few}")).text.split("Approvers and schedule")[1].split("Delegate")[0]
    )
