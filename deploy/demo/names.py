"""What the people of the demo are called, where they live, and which phone numbers films give such people."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """A city, its time zone, and its numbers for fiction: each # stands for any digit."""

    city: str
    timezone: str
    phone: str


@dataclass(frozen=True, slots=True)
class Population:
    """People of a part of the world: so many of each hundred."""

    share: int
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    places: tuple[Place, ...]


def _names(names: str) -> tuple[str, ...]:
    return tuple(names.split(", "))


AMERICAN: Final = Population(
    share=56,
    first_names=_names(
        "Ava, Olivia, James, Mateo, Sofía, Noah, Mia, Isabella, Liam, Emma, Camila, José, Elijah, Aaliyah, "
        "DeShawn, Grace, Ethan, Valentina, Hannah, Samuel, Zoë, Andrés, Chloë, Renée, Luis, Abigail, Tyrone, "
        "Thảo, Minh, Priya, Arjun, Wei, Hiroshi, Yuki, Kwame, Amara, Oluwaseun, Fatima, Omar, Leila, Dmitri, "
        "Katarzyna, Paweł, Noémie, Mary-Jane, D'Andre, Anaïs, Beyza, Çağla, İbrahim, Siobhán, Seán, Ngozi, "
        "Keoni, Leilani, 美咲, 伟, 지우, Ελένη, Anna Maria, John Paul, Mary Ann, Trần Minh"
    ),
    last_names=_names(
        "Smith, Johnson, García, Martínez, Nguyễn, Lee, Patel, O'Brien, O’Connor, Okafor, Kim, Rodríguez, "  # noqa: RUF001
        "Núñez, Peña, Brown, Davis, Wilson, Anderson, Thompson, Muñoz, Ibáñez, Kowalski, Wójcik, "
        "Łukasiewicz, Yılmaz, Öztürk, Şahin, Cohen, Goldstein, Haddad, Al-Rashid, Hassan, Singh, Iyer, "  # noqa: RUF001
        "Tanaka, 佐藤, 王, 김, Παππάς, Abe, Kealoha, Smith-Jones, MacDonald, McCarthy, D'Angelo, Fitzgerald, "
        "Washington, Jefferson, Baptiste, Désir, St.Pierre, Björnsson, de la Cruz, Van Dyke, Garcia Lopez, "
        "St. James"
    ),
    places=(
        Place("New York", "America/New_York", "+1 212 555 01##"),
        Place("Brooklyn", "America/New_York", "+1 718 555 01##"),
        Place("Boston", "America/New_York", "+1 617 555 01##"),
        Place("Atlanta", "America/New_York", "+1 404 555 01##"),
        Place("Miami", "America/New_York", "+1 305 555 01##"),
        Place("Philadelphia", "America/New_York", "+1 215 555 01##"),
        Place("Chicago", "America/Chicago", "+1 312 555 01##"),
        Place("Houston", "America/Chicago", "+1 713 555 01##"),
        Place("Austin", "America/Chicago", "+1 512 555 01##"),
        Place("Minneapolis", "America/Chicago", "+1 612 555 01##"),
        Place("New Orleans", "America/Chicago", "+1 504 555 01##"),
        Place("Denver", "America/Denver", "+1 303 555 01##"),
        Place("Cañon City", "America/Denver", "+1 719 555 01##"),
        Place("Phoenix", "America/Phoenix", "+1 602 555 01##"),
        Place("Los Angeles", "America/Los_Angeles", "+1 213 555 01##"),
        Place("San José", "America/Los_Angeles", "+1 408 555 01##"),
        Place("San Francisco", "America/Los_Angeles", "+1 415 555 01##"),
        Place("Seattle", "America/Los_Angeles", "+1 206 555 01##"),
        Place("Anchorage", "America/Anchorage", "+1 907 555 01##"),
        Place("Honolulu", "Pacific/Honolulu", "+1 808 555 01##"),
        Place("Mayagüez", "America/Puerto_Rico", "+1 787 555 01##"),
    ),
)

CANADIAN: Final = Population(
    share=10,
    first_names=_names(
        "Chloé, Étienne, Zoé, Jérôme, Maëlle, Thérèse, François, Geneviève, Liam, Olivia, Noah, Amélie, "
        "Raphaël, Aïcha, Gurpreet, Mei, Kai, Marie-Ève, Jean-François, Loïc"
    ),
    last_names=_names(
        "Tremblay, Gagné, Côté, Bélanger, Lévesque, Bouchard, Pelletier, MacLeod, Singh, Chen, Campbell, "
        "Beauséjour, Désilets, Lefebvre, Nault-Roy, O'Neil"
    ),
    places=(
        Place("Toronto", "America/Toronto", "+1 416 555 01##"),
        Place("Montréal", "America/Toronto", "+1 514 555 01##"),
        Place("Trois-Rivières", "America/Toronto", "+1 819 555 01##"),
        Place("Québec", "America/Toronto", "+1 418 555 01##"),
        Place("Vancouver", "America/Vancouver", "+1 604 555 01##"),
        Place("Halifax", "America/Halifax", "+1 902 555 01##"),
        Place("St. John's", "America/St_Johns", "+1 709 555 01##"),
    ),
)

BRITISH: Final = Population(
    share=10,
    first_names=_names(
        "Oliver, Amelia, Harry, Isla, George, Niamh, Rhys, Siân, Aoife, Muhammad, Aisha, Zara, Callum, "
        "Freya, Anjali, Kofi, Agnieszka, Tomasz, Ciarán, Beyoncé-Mae"
    ),
    last_names=_names(
        "Taylor, Evans, Hughes, Khan, Ahmed, Begum, Campbell, O'Sullivan, Ó'Briain, Jones, Clarke, Nowak, "
        "Mensah, Shah, Featherstonehaugh, Smythe-Brontë, Lloyd, ap-Rhys"
    ),
    places=(Place("London", "Europe/London", "+44 20 7946 0###"),),
)

GERMAN: Final = Population(
    share=9,
    first_names=_names(
        "Jürgen, Käthe, Björn, Ömer, Sören, Jörg, Bärbel, Günter, Zoë, Lukas, Emilia, Finn, Mia, Ayşe, "
        "Mehmet, Anna-Lena, Karl-Heinz, Włodzimierz, Renée, Hannelore"
    ),
    last_names=_names(
        "Müller, Schröder, Groß, Weiß, Köhler, Jäger, Böhm, Strauß, Krüger, Yıldız, Kaya, Schäfer, "  # noqa: RUF001
        "Lüdenscheidt-Voß, Weißmüller, Nguyen, Öztürk, von der Heide, zu Löwenstein"
    ),
    places=(
        Place("Berlin", "Europe/Berlin", "+49 30 23125 ###"),
        Place("Hamburg", "Europe/Berlin", "+49 40 66969 ###"),
        Place("Köln", "Europe/Berlin", "+49 221 4710 ###"),
        Place("München", "Europe/Berlin", "+49 89 99998 ###"),
        Place("Frankfurt am Main", "Europe/Berlin", "+49 69 90009 ###"),
    ),
)

FRENCH: Final = Population(
    share=7,
    first_names=_names(
        "Léa, Hélène, Noël, Inès, Aurélie, Gaël, Clément, Béatrice, Zoé, Jean-Luc, Anaïs, Théo, Maïwenn, "
        "Cécile, Rémi, Karim, Aminata, Solène"
    ),
    last_names=_names(
        "Lefèvre, Garçon, Benoît, Dupré, Çelik, Müller, Gauthier, Benali, Traoré, Le-Goff, Saint-Étienne, "
        "Prévost, d'Estaing, de La Fontaine, N'Diaye"
    ),
    places=(
        Place("Paris", "Europe/Paris", "+33 1 99 00 ## ##"),
        Place("Rennes", "Europe/Paris", "+33 2 61 91 ## ##"),
        Place("Besançon", "Europe/Paris", "+33 3 53 01 ## ##"),
        Place("Saint-Étienne", "Europe/Paris", "+33 4 65 71 ## ##"),
        Place("Nîmes", "Europe/Paris", "+33 4 65 71 ## ##"),
    ),
)

NORDIC: Final = Population(
    share=3,
    first_names=_names("Åsa, Björn, Märta, Göran, Søren, Åke, Linnéa, Jón, Þóra, Æsa, Mikko, Sámuel"),
    last_names=_names("Ångström, Sjöberg, Håkansson, Jönsson, Bjørnsen, Pálsdóttir, Määttä, Østergård, Ek"),
    places=(Place("Stockholm", "Europe/Stockholm", "+46 8 465 004 ##"),),
)

AUSTRALIAN: Final = Population(
    share=5,
    first_names=_names(
        "Jack, Charlotte, Lachlan, Matilda, Zoë, Nguyệt, Aarav, Mia, Kirra, Jedda, Bruce, Renée, Cooper"
    ),
    last_names=_names("Nguyen, O'Reilly, Papadopoulos, Williams, Rossi, Singh, Kelly, Müller, Tran, Te Rangi"),
    places=(
        Place("Sydney", "Australia/Sydney", "+61 2 5550 ####"),
        Place("Melbourne", "Australia/Melbourne", "+61 3 5550 ####"),
        Place("Brisbane", "Australia/Brisbane", "+61 7 5550 ####"),
        Place("Perth", "Australia/Perth", "+61 8 5550 ####"),
    ),
)

POPULATIONS: Final = (AMERICAN, CANADIAN, BRITISH, GERMAN, FRENCH, NORDIC, AUSTRALIAN)

#: For email addresses: what Unicode does not decompose into Latin letters.
ROMANIZED: Final = {
    "美咲": "misaki", "佐藤": "sato", "伟": "wei", "王": "wang", "지우": "jiwoo", "김": "kim", "Ελένη": "eleni",
    "Παππάς": "pappas",
}  # fmt: skip

COMPANIES: Final = (
    "Acme", "Acme, Inc.", "Globex Corporation", "Initech", "Umbrella & Sons", "Bäckerei Krume", "Café Olé",
    "Ristorante “Da Gino”", "Joe's Diner", "Nguyễn Phở House", 'The "Original" Taco Stand', "Müller & Söhne GmbH",
    "L'Épicerie", "Smørrebrød ApS", "Blue Bottle; Fine Wines", "Fish | Chips", "Taquería El Güero", "North Star LLC",
    "Panadería Ñandú", "Kowalski i Synowie", "Sushi 美咲", "=Equal Partners", "100% Organic", "#1 Auto Repair",
)  # fmt: skip

NOTES: Final = (
    "Called twice.\nPrefers mornings.",
    'Said: "call me after the holidays"',
    "Met at the trade fair;\nwants a demo\n\nand a price list",
    "VIP",
    "Allergic to cold calls, prefers texts",
    "Zweigstelle geschlossen bis 15.; danach Ansprechpartnerin Frau Groß",
    "Réponse attendue, à relancer",
    "Interested in plan \"pro\", budget ~ 5k €\nDecision: Q3",
    "line 1\nline 2\nline 3",
    "comma, semicolon; tab\tand pipe |",
    "🎉 new customer",
    "n/a",
)  # fmt: skip
