"""Seeded people, companies and addresses: the raw material of realistic rows.

The people of a seed are the same in every service, so one person can be a shop's customer and a bank's client.
"""

import random
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from tdscaling_assets.schema import JsonObject

Option = TypeVar("Option")

PEOPLE = 40  # people per seed


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


NAMES = _listed(
    "Amara Okafor,Chidi Eze,Zainab Bello,Kwame Mensah,Abena Owusu,Thandiwe Nkosi,Sipho Dlamini,Wanjiru Kamau,"
    "Tendai Moyo,Selam Tesfaye,Youssef Haddad,Leila Mansour,Omar Benali,Nadia Farouk,Rami Khoury,Shirin Rahimi,"
    "Priya Raman,Arjun Mehta,Kavita Joshi,Rohan Banerjee,Farida Rahman,Imran Qureshi,Nuwan Perera,Mei Lin Tan,"
    "Wei Zhang,Xiu Chen,Jia Hui Ng,Haruto Sato,Yuki Nakamura,Aiko Fujimoto,Minjun Park,Seo-yeon Kim,Linh Nguyen,"
    "Minh Tran,Anong Srisai,Putri Wijaya,Jose Santos,Maricel Reyes,Lucía Fernández,Mateo Rojas,Camila Torres,"
    "Diego Herrera,Valentina Cruz,João Almeida,Beatriz Costa,Rafael Moreira,Isabel Duarte,Giulia Romano,"
    "Marco Bianchi,Chiara Conti,Élodie Laurent,Mathieu Girard,Camille Moreau,Anneliese Vogel,Jonas Richter,"
    "Katrin Schäfer,Sven Lindqvist,Freja Nielsen,Aino Virtanen,Magnus Dahl,Piotr Nowak,Agnieszka Wójcik,"
    "Zsófia Nagy,Andrei Popescu,Ivana Kovač,Dimitra Pappas,Elif Yılmaz,Emre Demir,Oksana Shevchenko,Nino Beridze,"
    "Siobhán Byrne,Callum Fraser,Megan Davies,Oliver Whitfield,Grace Thornton,Hannah Goldberg,Marcus Bennett,"
    "Danielle Brooks,Tyrone Jackson,Kiana Akana,Aroha Ngata,Tui Parata,Lachlan Murray,Noa Friedman"
)
CITIES = _listed(
    "Lyon,Porto,Utrecht,Leipzig,Turin,Gdańsk,Malmö,Ghent,Cork,Bristol,Valencia,Graz,Tampere,Thessaloniki,Brno"
)
STREETS = _listed(
    "Linden Street,Harbour Road,Station Avenue,Mill Lane,Cathedral Square,Orchard Way,Canal Street,Old Market,"
    "Chestnut Avenue,Bridge Street,King's Court,Meadow Lane,Bakers Row,Park Terrace,Quarry Road"
)
MAIL_HOSTS = ("fastmail.com", "gmail.com", "outlook.com", "proton.me", "posteo.net", "icloud.com")
COMPANY_STEMS = _listed(
    "Northwind,Halden,Brightwater,Kestrel,Osprey,Juniper,Copperfield,Vantage,Marlowe,Sequoia,Tideline,Alder,"
    "Pemberton,Solstice,Ridgeway,Lantern"
)
COMPANY_KINDS = ("Foods", "Logistics", "Labs", "Studio", "Energy", "Textiles", "Optics", "Partners", "Instruments")


def whole(rng: random.Random, low: int, high: int) -> int:
    """A whole number from low to high; ValueError when there is none. Quicker than `randint`: seeding is full of it."""
    if high < low:
        raise ValueError(f"there is no number from {low} to {high}")
    return low + int(rng.random() * (high - low + 1))


def one_of(rng: random.Random, options: Sequence[Option]) -> Option:
    """One of the options; IndexError when there is none. Quicker than `choice`."""
    return options[int(rng.random() * len(options))]


@lru_cache(maxsize=256)
def people(seed: int) -> tuple[JsonObject, ...]:
    """The people of a seed: name, given_name, family_name, email, phone, city, address, birth_date; names distinct."""
    rng = random.Random(f"people:{seed}")
    return tuple(_person(name, rng) for name in rng.sample(NAMES, PEOPLE))


def company(rng: random.Random) -> str:
    """A company's name."""
    return f"{one_of(rng, COMPANY_STEMS)} {one_of(rng, COMPANY_KINDS)}"


def city(rng: random.Random) -> str:
    """A city's name."""
    return one_of(rng, CITIES)


def address(rng: random.Random) -> str:
    """Street, number and postcode of an address."""
    return f"{whole(rng, 1, 180)} {one_of(rng, STREETS)}, {whole(rng, 10000, 98999)}"


def phone(rng: random.Random) -> str:
    """A phone number in international notation."""
    return f"+{one_of(rng, ('31', '33', '34', '44', '48', '49'))} {whole(rng, 600, 799)} {whole(rng, 100000, 999999)}"


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Lower-case ASCII letters and digits of a text."""
    text = text.replace("ı", "i").replace("ł", "l").replace("ø", "o")
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in folded if letter.isalnum())


def code(number: int) -> str:
    """A six-letter record locator, one for each number below 23^6: 10432 → a text such as `KQ7XMB`."""
    letters = "BCDFGHJKLMNPQRSTVWXZ249"
    mixed = (number * 48_271_003 + 91_735_217) % 23**6
    return "".join(letters[mixed // 23**place % 23] for place in range(6))


def _person(name: str, rng: random.Random) -> JsonObject:
    given, family = name.rsplit(" ", 1)
    home = city(rng)
    return {
        "name": name,
        "given_name": given,
        "family_name": family,
        "email": f"{plain(given)}.{plain(family)}@{one_of(rng, MAIL_HOSTS)}",
        "phone": phone(rng),
        "city": home,
        "address": f"{address(rng)} {home}",
        "birth_date": f"{whole(rng, 1946, 2005)}-{whole(rng, 1, 12):02d}-{whole(rng, 1, 28):02d}",
    }
