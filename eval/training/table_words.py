"""What made-up tables are filled with: columns with headers, questions and values, groups of things, captions. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column: what its header may be, how people ask for it of {e}, and what stands in its cells."""

    headers: tuple[str, ...]
    questions: tuple[str, ...]
    value: Callable[[Random], str]


FIRST = (
    "Anna Ben Carla David Elif Frank Grace Hugo Ines Jonas Katya Liam Maria Noah Olga Pedro Quinn Rosa Samir Tara Uma"
    " Viktor Wendy Xavier Yara Zoe Ahmed Bridget Chen Dora Emeka Fatima Goran Hanna Ivan Joyce"
).split()
LAST = (
    "Abbott Bauer Costa Dlamini Eriksen Fischer Garcia Haddad Ito Jansen Kowalski Larsen Moreau Nowak Okafor Petrov"
    " Quist Rossi Schmidt Tanaka Ueda Varga Weber Xu Yilmaz Zhang Brennan Doyle Hughes Mbeki Novak Osei Patel Silva"
).split()
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = "January February March April May June July August September October November December".split()


def _money(random: Random) -> str:
    amount = random.choice((random.randint(1, 30), random.randint(1, 40) * 5, random.randint(2, 90) * 50))
    shown = f"{amount:,}" + random.choice(("", "", ".50", ".00", ".90"))
    return random.choice(("€{}", "{} €", "${}", "£{}", "EUR {}", "{}", "{} euros")).format(shown)


def _time(random: Random) -> str:
    hour, minute = random.randint(6, 22), random.choice(("00", "00", "15", "30", "45"))
    half = f"{(hour - 1) % 12 + 1}{'.' + minute if minute != '00' else ''} {'am' if hour < 12 else 'pm'}"
    return random.choice((f"{hour}:{minute}", f"{hour:02}:{minute}", half))


def _hours(random: Random) -> str:
    begin = random.randint(7, 11)
    span = f"{begin}:{random.choice(('00', '30'))}–{random.randint(14, 22)}:00"
    days = random.sample(range(7), 2)
    week = f"{DAYS[min(days)][:3]}–{DAYS[max(days)][:3]} {span}"
    return random.choice((span, week, f"from {begin} am", f"{DAYS[days[0]]}s, {span}"))


def _date(random: Random) -> str:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1995, 2027)
    name = MONTHS[month - 1]
    return random.choice(
        (f"{day} {name} {year}", f"{year}-{month:02}-{day:02}", f"{day} {name}", f"{name} {day}, {year}")
    )


def _person(random: Random) -> str:
    name = f"{random.choice(FIRST)} {random.choice(LAST)}"
    return random.choice((name, name, f"Dr {name}", f"{name[0]}. {name.split()[1]}"))


def _of(*units: str, low: int = 1, high: int = 400) -> Callable[[Random], str]:
    return lambda random: f"{random.randint(low, high):,}{random.choice(units)}"


def _filled(*shapes: str, low: int = 1, high: int) -> Callable[[Random], str]:
    return lambda random: random.choice(shapes).format(random.randint(low, high), random.randint(low, high))


def _one_of(*values: str) -> Callable[[Random], str]:
    return lambda random: random.choice(values)


def _pool(names: str) -> tuple[str, ...]:
    return tuple(names.split("|"))


PRICE = Attribute(
    ("Price", "Cost", "Fee", "Charge", "Price per unit", "Rate", "Amount"),
    (
        "How much does {e} cost?",
        "What is the price of {e}?",
        "What do I have to pay for {e}?",
        "How much is {e}?",
        "What is charged for {e}?",
        "How expensive is {e}?",
        "what's the fee for {e}?",
    ),
    _money,
)
HOURS = Attribute(
    ("Opening hours", "Open", "Hours", "Times"),
    (
        "When is {e} open?",
        "What are the opening hours of {e}?",
        "At what times can I visit {e}?",
        "What time does {e} open?",
    ),
    _hours,
)
PERSON = Attribute(
    ("Contact", "Responsible", "Manager", "Owner", "Person in charge", "Lead"),
    (
        "Who is responsible for {e}?",
        "Who is in charge of {e}?",
        "Whom do I ask about {e}?",
        "Who looks after {e}?",
        "Who manages {e}?",
        "Which person should I contact about {e}?",
    ),
    _person,
)
PHONE = Attribute(
    ("Phone", "Telephone", "Extension", "Tel."),
    (
        "What is the phone number of {e}?",
        "How can I call {e}?",
        "Which number do I dial for {e}?",
        "What is the extension for {e}?",
    ),
    _filled("{} {}", "0{} {}", "ext. {}{}", low=100, high=9999),
)
EMAIL = Attribute(
    ("E-mail", "Email", "Mail"),
    ("What is the e-mail address of {e}?", "Where do I write to for {e}?", "How do I reach {e} by e-mail?"),
    lambda random: f"{random.choice(LAST).lower()}@{random.choice(LAST).lower()}.example",
)
PLACE = Attribute(
    ("Room", "Location", "Place", "Building", "Where"),
    (
        "Where is {e}?",
        "In which room is {e}?",
        "Where do I find {e}?",
        "Which building is {e} in?",
        "Where is {e} located?",
    ),
    _filled("Room {}", "Building {}", "Hall {}", "Floor {}", "Annex {}", "B{}", "{} Main Street", high=60),
)
CAPACITY = Attribute(
    ("Capacity", "Seats", "Places", "Maximum number of people"),
    (
        "How many people fit into {e}?",
        "How many seats does {e} have?",
        "What is the capacity of {e}?",
        "How many may attend {e}?",
    ),
    _of("", " people", " seats"),
)
DATE = Attribute(
    ("Date", "Deadline", "Due", "Start", "Last day", "Delivered on"),
    ("When is {e}?", "What is the date of {e}?", "On what day is {e}?", "By when is {e} due?"),
    _date,
)
TIME = Attribute(
    ("Time", "Begins", "Start time"),
    ("At what time is {e}?", "What time does {e} start?", "When does {e} begin?"),
    _time,
)
DURATION = Attribute(
    ("Duration", "Length", "How long"),
    (
        "How long does {e} take?",
        "How long is {e}?",
        "What is the duration of {e}?",
        "How much time should I allow for {e}?",
    ),
    _of(" minutes", " hours", " days", " min", " weeks", low=2, high=90),
)
WEIGHT = Attribute(
    ("Weight", "Mass", "Weight (kg)"),
    ("How heavy is {e}?", "What does {e} weigh?", "What is the weight of {e}?"),
    _of(" kg", " g", "", " t"),
)
SIZE = Attribute(
    ("Size", "Dimensions", "Height", "Width", "Area"),
    ("How big is {e}?", "What size is {e}?", "How large is {e}?", "What are the dimensions of {e}?"),
    _filled("{} cm", "{} m", "{} × {} cm", "{} m²", high=300),
)
STOCK = Attribute(
    ("In stock", "Quantity", "Number", "Pieces", "Available"),
    ("How many of {e} are there?", "How many of {e} are in stock?", "What quantity of {e} is available?"),
    _of("", " pcs", " units"),
)
SUPPLIER = Attribute(
    ("Supplier", "Maker", "Manufacturer", "Source"),
    ("Who supplies {e}?", "Which company makes {e}?", "Where does {e} come from?"),
    lambda random: f"{random.choice(LAST)} {random.choice(('Ltd', 'GmbH', '& Sons', 'Inc.', 'Systems', 'Works'))}",
)
WARRANTY = Attribute(
    ("Warranty", "Guarantee", "Guarantee period"),
    ("How long is the warranty on {e}?", "What guarantee comes with {e}?", "For how long is {e} guaranteed?"),
    _of(" months", " years", low=1, high=36),
)
STATUS = Attribute(
    ("Status", "State", "Condition"),
    ("What is the status of {e}?", "What state is {e} in?"),
    _one_of(
        "open", "closed", "in repair", "on loan", "planned", "finished", "cancelled", "approved", "rejected", "pending"
    ),
)
COLOUR = Attribute(
    ("Colour", "Color"),
    ("What colour is {e}?", "Which colour does {e} have?"),
    _one_of("red", "dark blue", "green", "white", "black", "grey", "yellow", "orange", "silver"),
)
INTERVAL = Attribute(
    ("Interval", "Frequency", "How often", "Inspected"),
    ("How often is {e} checked?", "How frequently must {e} be inspected?", "At what intervals is {e} serviced?"),
    _one_of(
        "weekly", "every month", "twice a year", "yearly", "every two years", "daily", "after each use", "quarterly"
    ),
)
FOUNDED = Attribute(
    ("Founded", "Established", "Year"),
    ("When was {e} founded?", "In what year was {e} established?", "How old is {e}?"),
    lambda random: str(random.randint(1100, 2020)),
)
MEMBERS = Attribute(
    ("Members", "Population", "Inhabitants", "Visitors", "Employees", "Size"),
    ("How many members does {e} have?", "How many people belong to {e}?", "What is the size of {e}?"),
    _of("", ",000", ",500", high=900),
)
SHARE = Attribute(
    ("Share", "Percentage", "Growth", "Discount", "Rate"),
    ("What is the share of {e}?", "What percentage is given for {e}?", "What rate applies to {e}?"),
    _of(" %", "%", ".5 %", high=95),
)

GROUPS: tuple[tuple[str, tuple[str, ...], tuple[Attribute, ...]], ...] = (
    (
        "Item",
        _pool(
            "the projector|the ladder|the microscope|the 3D printer|the laptop|the tripod|the tent|"
            "the loudspeaker|the drill|the extension cable|the whiteboard|the camera|the microphone|"
            "the trolley|the freezer|the heat lamp|the pump|the printer|the forklift|the scanner|"
            "the generator|the kayak|the bicycle|the piano|the dishwasher|the oven|the first-aid kit|"
            "the fire extinguisher|the water filter|the telescope|the safety harness|"
            "the coffee machine"
        ),
        (PRICE, PERSON, PLACE, WEIGHT, SIZE, STOCK, SUPPLIER, WARRANTY, STATUS, COLOUR, INTERVAL, DATE),
    ),
    (
        "Ticket",
        _pool(
            "an adult ticket|a child ticket|a family ticket|a student ticket|a senior ticket|"
            "a day pass|a season ticket|an annual pass|a group ticket|a single journey|"
            "a return journey|a weekly pass|an evening ticket|parking|the audio guide|locker hire|"
            "the guided tour|a school visit|a birthday party|a duplicate key|late return"
        ),
        (PRICE, SHARE, DURATION, CAPACITY, DATE),
    ),
    (
        "Room",
        _pool(
            "the library|the gallery|the workshop|the canteen|the lecture hall|the reading room|"
            "the gym|the archive|the café|the swimming pool|the studio|the laboratory|"
            "the meeting room|the garden|the shop|the car park|the reception|the auditorium|"
            "the kitchen|the cloakroom|the sports hall|the play area|the server room|"
            "the roof terrace"
        ),
        (HOURS, PLACE, PHONE, CAPACITY, PERSON, SIZE, PRICE, INTERVAL, STATUS),
    ),
    (
        "Event",
        _pool(
            "the opening night|the spring concert|the board meeting|the welding course|"
            "the first-aid course|the book fair|the summer camp|the staff outing|the language course|"
            "the fire drill|the harvest festival|the open day|the pottery class|the night walk|"
            "the chess tournament|the annual audit|the quiz evening|the film evening|the yoga class|"
            "the safety training|the graduation|the flea market|the beginners' course|"
            "the lantern parade"
        ),
        (DATE, TIME, DURATION, PLACE, PRICE, CAPACITY, PERSON, STATUS),
    ),
    (
        "Department",
        _pool(
            "accounting|human resources|the IT help desk|the press office|the legal department|"
            "procurement|facilities|customer service|the post room|security|marketing|research|"
            "quality control|the payroll office|logistics|the works council|the training department|"
            "the warehouse|the data protection officer|the front desk"
        ),
        (PERSON, PHONE, EMAIL, PLACE, HOURS, MEMBERS),
    ),
    ("Name", (), (FOUNDED, MEMBERS, SHARE, PERSON, PLACE, DATE, SIZE)),  # proper names, given
)
CONDITIONS = (
    "at weekends",
    "for members",
    "in winter",
    "before 2015",
    "when booked online",
    "for groups of ten",
    "abroad",
    "for first-time visitors",
    "on public holidays",
    "without a reservation",
    "at night",
    "for employees' families",
    "after the renovation",
    "for the second time",
    "during the summer break",
    "with a student card",
)
CAPTIONS = (
    "Overview",
    "Details",
    "Prices",
    "List",
    "Inventory",
    "Schedule",
    "Contacts",
    "Table 1",
    "Table 3",
    "At a glance",
    "Annex B",
)
